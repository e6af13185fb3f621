"""Train by a recipe, and train anew on all rows where it says so; in every process that takes part."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from tunesmith import memory
from tunesmith.artifact import read_json, write_json
from tunesmith.errors import InputError
from tunesmith.events import duration
from tunesmith.plugins import Learner, learner_for
from tunesmith.products import BaseModel, EncodedRow, Forgetting, GoalSheet
from tunesmith.stages.context import Context
from tunesmith.stages.train.forgetting import General
from tunesmith.stages.train.forgetting import judge as judge_forgetting
from tunesmith.stages.train.recipe_file import keep
from tunesmith.threads import give_memory_back
from tunesmith.training.batches import batches_by
from tunesmith.training.drive import drive
from tunesmith.training.estimate import estimate, fit_to_memory
from tunesmith.training.loop import BatchMaker, Run
from tunesmith.training.recipe import Recipe
from tunesmith.training.sampler import steps_in_epoch
from tunesmith.training.verdict import Verdict, judge_accuracy, judge_loss

CHECKPOINTS = "checkpoints"
ESTIMATE = "estimate.json"
NOTHING = General([])
NOT_JUDGED = Verdict("not_judged", "No rows were held out, so no step was chosen: the last one's weights are kept.", "")


@dataclass(frozen=True)
class Rows:
    """Encoded rows to train on, and those to choose the best step on."""

    train: list[EncodedRow]
    validation: list[EncodedRow]

    @property
    def both(self) -> list[EncodedRow]:
        return [*self.train, *self.validation]


@dataclass(frozen=True)
class Fitted:
    """``training`` chose the step, and ``verdict`` is its; ``kept`` holds the weights: the same run, or the refit.

    ``expected``: seconds and bytes told before the run; ``peak_bytes``: the most memory that was held meanwhile;
    ``forgetting``: whether general ability was lost, where that can be said.
    """

    training: Run
    verdict: Verdict
    kept: Run
    expected: Mapping[str, float]
    peak_bytes: int
    forgetting: Forgetting | None

    @property
    def refitted(self) -> bool:
        return self.kept is not self.training

    @property
    def recipe(self) -> Recipe:
        return self.training.recipe


def learner_of(inputs: Mapping[str, Any]) -> Learner:
    base: BaseModel = inputs["base"]
    goal: GoalSheet = inputs["goal"]
    return learner_for(base.kind, goal.input, goal.output)


def fit(
    inputs: Mapping[str, Any],
    rows: Rows,
    recipe: Recipe,
    context: Context,
    *,
    may_checkpoint: bool,
    general: General = NOTHING,
    foretell: bool = True,
) -> Fitted:
    """Train, with this process's share of the cores.

    ``may_checkpoint``: whether activations may be computed again. ``general``: what to measure forgetting on.
    ``foretell``: whether time and memory are measured and told first. Without validation rows no step is chosen and
    nothing is judged: the last step's weights are kept.
    """
    learner, base, goal, ranks = learner_of(inputs), inputs["base"], inputs["goal"], context.ranks
    work = context.folder / CHECKPOINTS
    maker = partial(batches_by, learner.batches, ranks=ranks)
    with ranks.threads(), memory.Peak() as peak:
        model = learner.load.prepare(base, goal, asdict(recipe), rows.train)
        if not ranks.tell(work.exists()):
            recipe = _fitted_to_memory(model, rows, recipe, maker, context, may_checkpoint)
        context.note(recipe.words)
        before = general.outcomes(model, recipe)  # freshly loaded it is the base, in a run that goes on too
        expected = _expected(model, rows, recipe, maker(recipe), context) if foretell else {}
        training = kept = Run(model, rows.train, rows.validation, maker(recipe), recipe, work, ranks)
        drive(training, context.emit, context.stopping)
        verdict = _judge(training, rows) if rows.validation else NOT_JUDGED
        context.note(verdict.words)
        if recipe.refit:
            again = _refit_recipe(recipe, training, len(rows.both))
            context.note(f"training once more on training and validation rows together, for {again.steps} steps")
            training.let_go()
            del model
            give_memory_back()
            model = learner.load.prepare(base, goal, asdict(again), rows.both)
            kept = Run(model, rows.both, [], maker(again), again, work / "refit", ranks)
            drive(kept, context.emit, context.stopping)
        forgot = judge_forgetting(before, general.outcomes(model, recipe), general.why_not, context.seed)
        return Fitted(training, verdict, kept, expected, peak.look(), forgot)


def _fitted_to_memory(
    model: Any, rows: Rows, recipe: Recipe, maker: Any, context: Context, may_checkpoint: bool
) -> Recipe:
    """The recipe cut to the memory that the first process finds free, kept for a run that goes on."""
    if context.ranks.first:
        free = memory.available()
        recipe = fit_to_memory(model, rows.train, recipe, maker, may_checkpoint=may_checkpoint, free=free)
        keep(recipe, context.folder)
    recipe = Recipe(**context.ranks.tell(asdict(recipe)))
    model.checkpoint_activations(recipe.activation_checkpointing)
    return recipe


def _expected(model: Any, rows: Rows, recipe: Recipe, batches: BatchMaker, context: Context) -> Mapping[str, float]:
    """What the run is to take, measured and told before it begins; what was told then, when it goes on."""
    path, ranks = context.folder / ESTIMATE, context.ranks
    told: dict[str, float] | None = None
    if ranks.first and path.exists():
        with suppress(InputError, KeyError, TypeError, ValueError):  # damaged: it is measured again
            read = read_json(path)
            told = {name: float(read[name]) for name in ("seconds", "memory_bytes")}
    told = ranks.tell(told)
    if told is not None:
        return told
    found = estimate(model, rows.train, rows.validation, recipe, batches, ranks)
    if recipe.refit:  # the whole training once more, with the validation rows
        found = replace(found, training=found.training * (2 + len(rows.validation) / len(rows.train)))
    took = f"about {duration(found.seconds)} and {found.memory_bytes / 1e9:.1f} GB of memory"
    context.note(f"{recipe.steps:,} steps will take {took}, by a trial of the first ones; less if they stop early")
    told = {"seconds": found.seconds, "memory_bytes": found.memory_bytes}
    if ranks.first:
        write_json(path, told)
    return told


def _refit_recipe(recipe: Recipe, training: Run, rows: int) -> Recipe:
    """The recipe for all rows: as many passes as led to the step that was kept."""
    passes = training.state.best_step / steps_in_epoch(len(training.sampler.rows), recipe.batch_size)
    return replace(recipe, steps=max(1, math.ceil(passes * steps_in_epoch(rows, recipe.batch_size))))


def _judge(training: Run, rows: Rows) -> Verdict:
    state = training.state
    if training.recipe.criterion == "loss":
        return judge_loss(state.curve, state.step)
    commonest = Counter(row.label for row in rows.train).most_common(1)[0][0]
    guess = sum(row.label == commonest for row in rows.validation) / len(rows.validation)
    return judge_accuracy(state.curve, state.step, state.best_step, len(rows.validation), guess)
