"""The stage `train`: how the model learns. The loop is in training/, the model in learners/."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from tunesmith.artifact import read_json, write_json
from tunesmith.errors import InputError
from tunesmith.leak_certificate import check_certificate
from tunesmith.products import BaseModel, CleanSet, Dataset, EncodedRow, GroupGain, Splits
from tunesmith.stages.context import Context
from tunesmith.stages.train import forgetting
from tunesmith.stages.train.checks import check_fresh, check_preferences
from tunesmith.stages.train.fit import CHECKPOINTS, Fitted, Rows, fit, learner_of
from tunesmith.stages.train.groups import group_gains
from tunesmith.stages.train.recipe_file import RECIPE, keep, kept
from tunesmith.stages.train.settings import TrainSettings
from tunesmith.stages.train.write import write_model
from tunesmith.training.recipe import Recipe, choose

VERSION = 4
#: Written last, so that it says that the model is whole.
DONE = "train.json"


def run(inputs: Mapping[str, Any], settings: TrainSettings, context: Context) -> dict[str, Any]:
    """Train on the training part, choose the best step on the validation part, write the model."""
    if (context.folder / DONE).exists():  # killed after the training, before the folder was in its place
        shutil.rmtree(context.folder / CHECKPOINTS, ignore_errors=True)
        return _counts(read_json(context.folder / DONE))
    base: BaseModel = inputs["base"]
    check_certificate(inputs["split"], inputs["clean"], ("train", "validation"))
    learner, rows, ranks = learner_of(inputs), _parts(inputs), context.ranks
    if not rows.train or not rows.validation:
        raise InputError(
            "nothing_to_train", "the training or the validation part is empty", "split", "see `tunesmith show split`"
        )
    if base.from_scratch:
        check_fresh(settings)
    if settings.objective == "dpo":
        check_preferences(rows.both, learner)
    fresh_parameters = base.parameters if base.from_scratch else None
    recipe = _recipe(settings, learner.name, rows.train, context, fresh_parameters)
    general = forgetting.general(settings, learner, base, context)  # before the training takes the memory
    may_checkpoint = settings.activation_checkpointing == "auto"
    if ranks.size > 1:
        context.note(f"shared by {ranks.size} processes")
        order = {"recipe": asdict(recipe), "may_checkpoint": may_checkpoint}
        ranks.order({**order, "made": context.facts["made"], "folder": str(context.folder)})
    fitted = fit(inputs, rows, recipe, context, may_checkpoint=may_checkpoint, general=general)
    kept_run, forgot = fitted.kept, fitted.forgetting
    if forgot:
        context.note(forgot.words)
    write_model(kept_run.model, kept_run.ledger_lines(), context.folder, kept_run.state.step)
    verdict = fitted.verdict
    result = {
        "learner": learner.name,
        "recipe": asdict(fitted.recipe),
        "curve": fitted.training.state.curve,
        "verdict": {"code": verdict.code, "words": verdict.words, "try": verdict.advice},
        "facts": _facts(fitted, rows, ranks.size),
        "groups": [asdict(group) for group in _groups(fitted, inputs, context)],
        "forgetting": asdict(forgot) if forgot else None,
    }
    write_json(context.folder / DONE, result)
    shutil.rmtree(context.folder / CHECKPOINTS)
    return _counts(result)


def share(inputs: Mapping[str, Any], order: Mapping[str, Any], context: Context) -> None:
    """Take this process's share of a training that the first of ``context.ranks`` ordered. Nothing is written."""
    fit(inputs, _parts(inputs), Recipe(**order["recipe"]), context, may_checkpoint=order["may_checkpoint"])


def _facts(fitted: Fitted, rows: Rows, processes: int) -> dict[str, Any]:
    state, kept_run = fitted.training.state, fitted.kept
    return {
        "rows": len(rows.train),
        "validation_rows": len(rows.validation),
        "parameters_trained": sum(tensor.numel() for tensor in kept_run.model.trained_state().values()),
        "steps": state.step,
        "planned_steps": fitted.recipe.steps,
        "best_step": state.best_step,
        "stopped_early": state.stopped_early,
        "skipped": state.skipped,
        "refit_skipped": kept_run.state.skipped if fitted.refitted else [],
        "refit_steps": kept_run.recipe.steps if fitted.refitted else 0,
        "seconds": state.seconds + (kept_run.state.seconds if fitted.refitted else 0.0),
        "tokens_per_second": state.tokens / state.step_seconds,
        "computed_tokens_per_second": state.computed_tokens / state.step_seconds,
        "processes": processes,
        "peak_memory_bytes": fitted.peak_bytes,
        "expected": dict(fitted.expected),
    }


def _counts(result: Mapping[str, Any]) -> dict[str, Any]:
    facts = {name: result["facts"][name] for name in ("rows", "steps", "best_step")}
    return {**facts, "verdict": result["verdict"]["code"]}


def _recipe(
    settings: TrainSettings, learner: str, rows: list[EncodedRow], context: Context, fresh_parameters: int | None
) -> Recipe:
    """The recipe of this run. A run that goes on keeps the one it began with, since a part of it is measured."""
    work = context.folder / CHECKPOINTS
    if (context.folder / RECIPE).exists() or work.exists():
        recipe = kept(context.folder)
        if recipe is not None:
            return recipe
        context.warn("the recipe of the run that was stopped is damaged or gone; training starts anew")
        shutil.rmtree(work, ignore_errors=True)
    recipe = choose(settings, learner, rows, context.seed, fresh_parameters, context.ranks.machines)
    keep(recipe, context.folder)
    return recipe


def _groups(fitted: Fitted, inputs: Mapping[str, Any], context: Context) -> list[GroupGain]:
    """What each group of validation rows gained, up to the step that was chosen."""
    outcomes = fitted.training.validated.outcomes()
    clean: CleanSet = inputs["clean"]
    return group_gains(clean.examples(outcomes), outcomes, inputs["goal"], context.seed)


def _parts(inputs: Mapping[str, Any]) -> Rows:
    dataset: Dataset = inputs["format"]
    splits: Splits = inputs["split"]
    return Rows(_rows(dataset, splits.ids("train")), _rows(dataset, splits.ids("validation")))


def _rows(dataset: Dataset, ids: list[str]) -> list[EncodedRow]:
    """The rows of one part, in the order of its ids; those that `format` set aside after the split are not there."""
    found = {row.id: row for row in dataset.rows(set(ids))}
    return [found[id] for id in ids if id in found]
