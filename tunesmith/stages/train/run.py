"""The stage `train`: how the model learns. The loop is in training/, the model in learners/."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from tunesmith.artifact import read_json, write_json
from tunesmith.errors import Cancelled, InputError
from tunesmith.events import Pace
from tunesmith.plugins import learner_for
from tunesmith.products import BaseModel, Dataset, EncodedRow, GoalSheet, Splits
from tunesmith.stages.context import Context
from tunesmith.stages.train.settings import TrainSettings
from tunesmith.training.loop import Measurement, Run
from tunesmith.training.recipe import Recipe, choose
from tunesmith.training.row_batches import row_batches
from tunesmith.training.tree_packing import trees
from tunesmith.training.verdict import judge

VERSION = 1


def run(inputs: Mapping[str, Any], settings: TrainSettings, context: Context) -> dict[str, Any]:
    """Train on the training part, choose the best step on the validation part, write the model."""
    goal: GoalSheet = inputs["goal"]
    base: BaseModel = inputs["base"]
    dataset: Dataset = inputs["format"]
    splits: Splits = inputs["split"]
    learner = learner_for(base.kind, goal.input, goal.output)
    train_rows = _rows(dataset, splits.ids("train"))
    validation_rows = _rows(dataset, splits.ids("validation"))
    if not train_rows or not validation_rows:
        raise InputError(
            "nothing_to_train", "the training or the validation part is empty", "split", "see `tunesmith show split`"
        )
    recipe = _recipe(settings, learner.name, train_rows, context)
    context.note(recipe.words)
    model = learner.load.prepare(base, goal, asdict(recipe), train_rows)
    batches = partial(trees if learner.batches == "tree" else row_batches, budget=recipe.token_budget)
    work = context.folder / "checkpoints"
    training = Run(model, train_rows, validation_rows, batches, recipe, work)
    _train(training, recipe, context)
    verdict = judge(training.state.curve, training.state.step)
    context.note(verdict.words)
    folder = context.folder / "model"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    model.save(folder)
    facts = {
        "rows": len(train_rows),
        "validation_rows": len(validation_rows),
        "parameters_trained": sum(tensor.numel() for tensor in model.trained_state().values()),
        "steps": training.state.step,
        "best_step": training.state.best_step,
        "stopped_early": training.state.stopped_early,
        "skipped": training.state.skipped,
        "seconds": training.state.seconds,
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    write_json(
        context.folder / "train.json",
        {
            "learner": learner.name,
            "recipe": asdict(recipe),
            "curve": training.state.curve,
            "verdict": {"code": verdict.code, "words": verdict.words, "try": verdict.advice},
            "facts": facts,
        },
    )
    shutil.rmtree(work)
    return {
        "rows": len(train_rows),
        "steps": training.state.step,
        "best_step": training.state.best_step,
        "verdict": verdict.code,
    }


def _recipe(settings: TrainSettings, learner: str, rows: list[EncodedRow], context: Context) -> Recipe:
    """The recipe of this run. A run that goes on keeps the one it began with, since a part of it is measured."""
    path = context.folder / "recipe.json"
    if path.exists():
        return Recipe(**read_json(path))
    recipe = choose(settings, learner, rows, context.seed)
    write_json(path, asdict(recipe))
    return recipe


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
    elif told.kind == "validation":
        context.emit("metric", **data)
    elif told.kind == "step" and pace is not None:
        done = data["step"] - start
        left = pace.seconds_left(done)  # as if all steps were still to do at this pace
        remaining = left * (recipe.steps - data["step"]) / max(1, recipe.steps - done) if left else None
        context.emit("metric", **data)
        context.emit("progress", done=data["step"], total=recipe.steps, unit="steps", seconds_left=remaining)
