"""The stage `train`: how the model learns. The loop is in training/, the model in learners/."""

from __future__ import annotations

import math
import shutil
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from tunesmith import memory
from tunesmith.artifact import hash_of, read_json, write_json
from tunesmith.errors import Cancelled, InputError
from tunesmith.events import Pace, duration
from tunesmith.leak_certificate import check_certificate
from tunesmith.plugins import Learner, learner_for
from tunesmith.products import BaseModel, CleanSet, Dataset, EncodedRow, GoalSheet, GroupGain, Splits
from tunesmith.stages.context import Context
from tunesmith.stages.train.groups import group_gains
from tunesmith.stages.train.settings import TrainSettings
from tunesmith.stages.train.write import write_model
from tunesmith.threads import give_memory_back
from tunesmith.training.estimate import estimate, fit_to_memory
from tunesmith.training.loop import BatchMaker, Measurement, Run
from tunesmith.training.preference_trees import preference_trees
from tunesmith.training.recipe import Recipe, choose
from tunesmith.training.row_batches import row_batches
from tunesmith.training.sampler import steps_in_epoch
from tunesmith.training.tree_packing import trees
from tunesmith.training.verdict import Verdict, judge_accuracy, judge_loss

VERSION = 4
CHECKPOINTS = "checkpoints"
RECIPE = "recipe.json"
ESTIMATE = "estimate.json"
#: Written last, so that it says that the model is whole.
DONE = "train.json"


def run(inputs: Mapping[str, Any], settings: TrainSettings, context: Context) -> dict[str, Any]:
    """Train on the training part, choose the best step on the validation part, write the model."""
    if (context.folder / DONE).exists():  # killed after the training, before the folder was in its place
        shutil.rmtree(context.folder / CHECKPOINTS, ignore_errors=True)
        return _counts(read_json(context.folder / DONE))
    goal: GoalSheet = inputs["goal"]
    base: BaseModel = inputs["base"]
    dataset: Dataset = inputs["format"]
    splits: Splits = inputs["split"]
    check_certificate(splits, inputs["clean"], ("train", "validation"))
    learner = learner_for(base.kind, goal.input, goal.output)
    train_rows = _rows(dataset, splits.ids("train"))
    validation_rows = _rows(dataset, splits.ids("validation"))
    if not train_rows or not validation_rows:
        raise InputError(
            "nothing_to_train", "the training or the validation part is empty", "split", "see `tunesmith show split`"
        )
    if settings.objective == "dpo":
        _check_preferences([*train_rows, *validation_rows], learner)
    recipe = _recipe(settings, learner.name, train_rows, context)
    model = learner.load.prepare(base, goal, asdict(recipe), train_rows)
    work = context.folder / CHECKPOINTS
    if not work.exists():
        recipe = fit_to_memory(
            model,
            train_rows,
            recipe,
            partial(_batches, learner.batches),
            may_checkpoint=settings.activation_checkpointing == "auto",
            free=memory.available(),
        )
        _keep(recipe, context.folder / RECIPE)
    context.note(recipe.words)
    batches = _batches(learner.batches, recipe)
    expected = _expected(model, train_rows, validation_rows, recipe, batches, context)
    training = Run(model, train_rows, validation_rows, batches, recipe, work)
    with memory.Peak() as peak:
        _train(training, recipe, context)
    verdict = _judge(training, train_rows, validation_rows)
    context.note(verdict.words)
    kept, refit_steps, seconds = training, 0, training.state.seconds
    if recipe.refit:
        again = _refit_recipe(recipe, training, len(train_rows) + len(validation_rows))
        refit_steps = again.steps
        context.note(f"training once more on training and validation rows together, for {refit_steps} steps")
        both = [*train_rows, *validation_rows]
        training.let_go()
        del model
        give_memory_back()
        model = learner.load.prepare(base, goal, asdict(again), both)
        kept = Run(model, both, [], batches, again, work / "refit")
        with memory.Peak() as peak:
            _train(kept, again, context)
        seconds += kept.state.seconds
    write_model(model, kept.ledger_lines(), context.folder, kept.state.step)
    facts = {
        "rows": len(train_rows),
        "validation_rows": len(validation_rows),
        "parameters_trained": sum(tensor.numel() for tensor in model.trained_state().values()),
        "steps": training.state.step,
        "best_step": training.state.best_step,
        "stopped_early": training.state.stopped_early,
        "skipped": training.state.skipped,
        "refit_skipped": kept.state.skipped if recipe.refit else [],
        "refit_steps": refit_steps,
        "seconds": seconds,
        "tokens_per_second": training.state.tokens / training.state.step_seconds,
        "computed_tokens_per_second": training.state.computed_tokens / training.state.step_seconds,
        "peak_memory_bytes": peak.bytes,
        "expected": expected,
    }
    result = {
        "learner": learner.name,
        "recipe": asdict(recipe),
        "curve": training.state.curve,
        "verdict": {"code": verdict.code, "words": verdict.words, "try": verdict.advice},
        "facts": facts,
        "groups": [asdict(group) for group in _groups(training, inputs, context)],
    }
    write_json(context.folder / DONE, result)
    shutil.rmtree(work)
    return _counts(result)


def _check_preferences(rows: list[EncodedRow], learner: Learner) -> None:
    """Raise InputError where rows cannot be trained as preferences."""
    if learner.batches != "tree":
        raise InputError(
            "objective_not_served",
            f"preferences between answers are for language models, and this base is tuned as {learner.name}",
            "tunesmith.yaml: train.objective",
            "set train.objective: sft",
        )
    without = [row.id for row in rows if not row.rejected]
    if without:
        raise InputError(
            "no_rejected_answer",
            f"{len(without):,} of {len(rows):,} rows have no rejected answer ({', '.join(without[:3])}), "
            "and train.objective: dpo needs one in each",
            "tunesmith.yaml: collect",
            "name its column (`rejected: COLUMN` with the source), take out the rows without one, or set "
            "train.objective: sft",
        )


def _batches(kind: str, recipe: Recipe) -> BatchMaker:
    packed = preference_trees if recipe.objective == "dpo" else trees
    return partial(packed if kind == "tree" else row_batches, budget=recipe.token_budget, workers=recipe.workers)


def _refit_recipe(recipe: Recipe, training: Run, rows: int) -> Recipe:
    """The recipe for all rows: as many passes as led to the step that was kept."""
    passes = training.state.best_step / steps_in_epoch(len(training.sampler.rows), recipe.batch_size)
    return replace(recipe, steps=max(1, math.ceil(passes * steps_in_epoch(rows, recipe.batch_size))))


def _counts(result: Mapping[str, Any]) -> dict[str, Any]:
    facts = {name: result["facts"][name] for name in ("rows", "steps", "best_step")}
    return {**facts, "verdict": result["verdict"]["code"]}


def _recipe(settings: TrainSettings, learner: str, rows: list[EncodedRow], context: Context) -> Recipe:
    """The recipe of this run. A run that goes on keeps the one it began with, since a part of it is measured."""
    path, work = context.folder / RECIPE, context.folder / CHECKPOINTS
    if path.exists() or work.exists():
        with suppress(KeyError, TypeError, InputError):
            written = read_json(path)
            if written["hash"] == hash_of(written["recipe"]):
                return Recipe(**written["recipe"])
        context.warn("the recipe of the run that was stopped is damaged or gone; training starts anew")
        shutil.rmtree(work, ignore_errors=True)
    recipe = choose(settings, learner, rows, context.seed)
    _keep(recipe, path)
    return recipe


def _keep(recipe: Recipe, path: Path) -> None:
    write_json(path, {"recipe": asdict(recipe), "hash": hash_of(asdict(recipe))})


def _expected(
    model: Any,
    rows: list[EncodedRow],
    validation: list[EncodedRow],
    recipe: Recipe,
    batches: BatchMaker,
    context: Context,
) -> dict[str, float]:
    """What the run is to take, measured and told before it begins; what was told then, when it goes on."""
    path = context.folder / ESTIMATE
    if path.exists():
        with suppress(InputError):
            return dict(read_json(path))
    found = estimate(model, rows, validation, recipe, batches)
    if recipe.refit:  # the whole training once more, with the validation rows
        found = replace(found, training=found.training * (2 + len(validation) / len(rows)))
    took = f"at most about {duration(found.seconds)} and {found.memory_bytes / 1e9:.1f} GB of memory"
    context.note(f"{took}, by a trial of the first step")
    told = {"seconds": found.seconds, "memory_bytes": found.memory_bytes}
    write_json(path, told)
    return told


def _judge(training: Run, rows: list[EncodedRow], validation: list[EncodedRow]) -> Verdict:
    state = training.state
    if training.recipe.criterion == "loss":
        return judge_loss(state.curve, state.step)
    commonest = Counter(row.label for row in rows).most_common(1)[0][0]
    guess = sum(row.label == commonest for row in validation) / len(validation)
    return judge_accuracy(state.curve, state.step, state.best_step, len(validation), guess)


def _groups(training: Run, inputs: Mapping[str, Any], context: Context) -> list[GroupGain]:
    """What each group of validation rows gained, up to the step that was chosen."""
    outcomes = training.validated.outcomes()
    clean: CleanSet = inputs["clean"]
    return group_gains(clean.examples(outcomes), outcomes, inputs["goal"], context.seed)


def _rows(dataset: Dataset, ids: list[str]) -> list[EncodedRow]:
    """The rows of one part, in the order of its ids."""
    found = {row.id: row for row in dataset.rows(set(ids))}
    return [found[id] for id in ids]


def _train(training: Run, recipe: Recipe, context: Context) -> None:
    """Drive the loop: tell each measurement; on a stop, save a checkpoint first."""
    pace: Pace | None = None
    start = 0
    for told in training:
        if pace is None and told.kind in ("step", "validation"):
            pace, start = Pace(recipe.steps), told.data["step"]
        _tell(told, recipe, context, pace, start)
        if context.stopping() and not training.state.done:
            training.save()
            raise Cancelled(f"stopped by you in step {training.state.step} of {recipe.steps}; the checkpoint is saved")


def _tell(told: Measurement, recipe: Recipe, context: Context, pace: Pace | None, start: int) -> None:
    data = told.data
    if told.kind == "damaged":
        context.warn(f"a damaged checkpoint was passed over: {Path(data['directory']).name}")
    elif told.kind == "resumed":
        context.note(f"going on from step {data['step']} of {data['steps']}")
    elif told.kind == "anew":
        context.warn("no checkpoint of the run that was stopped is whole; training starts anew")
    elif told.kind == "skipped":
        context.warn(f"step {data['step']} changed nothing, since {data['why']}; its rows: {', '.join(data['ids'])}")
    elif told.kind == "validation":
        context.emit("metric", **data)
    elif told.kind == "step" and pace is not None:
        done = data["step"] - start
        left = pace.seconds_left(done)  # as if all steps were still to do at this pace
        remaining = left * (recipe.steps - data["step"]) / max(1, recipe.steps - done) if left else None
        context.emit("metric", **data, memory_bytes=memory.resident(), peak_memory_bytes=memory.peak())
        context.emit("progress", done=data["step"], total=recipe.steps, unit="steps", seconds_left=remaining)
