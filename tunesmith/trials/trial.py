"""One trial: train as `train` would, on some of its rows, answer validation rows, keep the scores and nothing else.

A trial takes the steps that its recipe plans and keeps the last one's weights: no validation row has a say in it
(no early stop, no best step, no growth, no refit), so that all of them are fit to be measured on.

Results are cached by content: the same rows, settings, base and measured rows are not trained twice. A trial that is
killed goes on from its checkpoint. The cache holds scores, and nothing of the rows.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tunesmith.artifact import fsync, hash_of, make_folder, read_json, write_json
from tunesmith.errors import InputError
from tunesmith.events import Event
from tunesmith.products import EncodedRow, GoalSheet, TunedModel
from tunesmith.scoring.measure import ROW_METRIC, measure
from tunesmith.scoring.statistic import FloatArray, Mean
from tunesmith.stages.context import Context
from tunesmith.stages.train.checks import check_fresh, check_preferences
from tunesmith.stages.train.fit import CHECKPOINTS, Rows, fit
from tunesmith.stages.train.recipe_file import keep, kept
from tunesmith.stages.train.settings import TrainSettings
from tunesmith.stages.train.write import MODEL, write_model
from tunesmith.threads import give_memory_back
from tunesmith.training.recipe import Recipe, choose
from tunesmith.trials.rows import Material, Prepared

#: Raised when a trial gives another outcome for the same input.
VERSION = 1
OUTCOME = "outcome.json"


@dataclass(frozen=True)
class Trial:
    """Train ``material``'s base on ``rows`` with these settings, and measure it on the material's examples."""

    material: Material
    rows: tuple[EncodedRow, ...]
    settings: TrainSettings
    seed: int

    @cached_property
    def id(self) -> str:
        """Everything that the outcome follows from, as a hash."""
        goal, base = self.material.goal, self.material.base
        task = [goal.input, goal.output, goal.system, goal.labels, goal.schema]
        measured = [(one.content_id, one.answer) for one in self.material.measured]
        rows = [(row.tokens, row.trained, row.label, row.weight, row.rejected) for row in self.rows]
        settings = {key: value for key, value in asdict_of(self.settings).items() if key not in UNFELT}
        return hash_of([VERSION, task, base.name, base.sha256, base.source, settings, self.seed, rows, measured])


#: Settings of `train` that a trial does not feel: they choose among steps, or are about what is not measured here.
UNFELT = ("validations", "patience", "refit", "forgetting", "checkpoint_seconds")


def asdict_of(settings: TrainSettings) -> dict[str, Any]:
    return settings.model_dump(mode="json", by_alias=True)


@dataclass(frozen=True)
class Outcome:
    """What a trial scored, float64 ``[measured examples]``, 0 to 1; and what it took.

    ``seconds``: training and answering; ``cached``: whether it had been made before.
    """

    id: str
    rows: int
    scores: FloatArray
    seconds: float
    peak_bytes: int
    cached: bool = False

    @property
    def statistic(self) -> Mean:
        return Mean(self.scores)


def find(prepared: Prepared, trial: Trial) -> Outcome | None:
    """The outcome of a trial that was made before; None for one that was not, or whose file is damaged."""
    return _read(prepared.folder / trial.id / OUTCOME, trial)


def _read(path: Path, trial: Trial) -> Outcome | None:
    try:
        data = read_json(path)
        scores = np.array(data["scores"], dtype=np.float64)
        if data["id"] != trial.id or data["hash"] != _seal(data) or len(scores) != len(trial.material.measured):
            return None
        facts = {key: data[key] for key in ("id", "rows", "seconds", "peak_bytes")}
        return Outcome(**facts, scores=scores, cached=True)
    except (InputError, KeyError, TypeError, ValueError):
        return None


def _seal(data: dict[str, Any]) -> str:
    return hash_of({key: value for key, value in data.items() if key != "hash"})


def carry_out(prepared: Prepared, trial: Trial) -> Outcome:
    """The outcome of a trial, made now where it was not made before.

    Raises Cancelled when the user stops it; a checkpoint is saved then.
    """
    if (found := find(prepared, trial)) is not None:
        return found
    work = prepared.work / f"trial-{trial.id}"
    make_folder(work)
    began = time.monotonic()

    def hear(event: Event) -> None:
        """Of a training that is thrown away only its progress is told."""
        if event.kind == "progress":
            prepared.sink(Event("progress", "advise", event.data))

    context = Context("train", prepared.root, work, prepared.cache, trial.seed, hear, stopping=prepared.stopping)
    recipe = _recipe(trial, work)
    inputs = {"base": trial.material.base, "goal": trial.material.goal}
    may_checkpoint = trial.settings.activation_checkpointing == "auto"
    fitted = fit(inputs, Rows(list(trial.rows), []), recipe, context, may_checkpoint=may_checkpoint, foretell=False)
    write_model(fitted.kept.model, fitted.kept.ledger_lines(), work, fitted.kept.state.step)
    data = {
        "id": trial.id,
        "rows": len(trial.rows),
        "peak_bytes": fitted.peak_bytes,
    }
    fitted.training.let_go()
    del fitted
    give_memory_back()
    data["scores"] = _scores(trial, work / MODEL, recipe, prepared, context).tolist()
    data["seconds"] = time.monotonic() - began
    _finish(prepared, work, data)
    outcome = _read(prepared.folder / trial.id / OUTCOME, trial)
    assert outcome is not None  # it was written a moment ago
    return replace(outcome, cached=False)


def _recipe(trial: Trial, work: Path) -> Recipe:
    """The recipe that `train` would choose for these rows, without what looks at validation rows."""
    base = trial.material.base
    if base.from_scratch:
        check_fresh(trial.settings)
    if trial.settings.objective == "dpo":
        check_preferences(trial.rows, trial.material.learner)
    if (work / CHECKPOINTS).exists():
        if (begun := kept(work)) is not None:
            return begun
        shutil.rmtree(work / CHECKPOINTS)
    fresh = base.parameters if base.from_scratch else None
    recipe = choose(trial.settings, trial.material.learner.name, trial.rows, trial.seed, fresh)
    recipe = replace(recipe, refit=False, grows=False)
    keep(recipe, work)
    return recipe


def _scores(trial: Trial, model: Path, recipe: Recipe, prepared: Prepared, context: Context) -> FloatArray:
    """What each measured example scores by the row metric of the goal's output."""
    goal, base, measured = trial.material.goal, trial.material.base, trial.material.measured
    learner = trial.material.learner
    tuned = TunedModel(model, learner.name, asdict(recipe), (), {}, {})

    def tell(done: int, rows: int) -> None:
        context.check()
        prepared.sink(
            Event("progress", "advise", {"done": done, "total": rows, "unit": "answers", "seconds_left": None})
        )

    answers = learner.predict.predict(
        "tuned",
        base,
        goal,
        tuned,
        [example.prompt for example in measured],
        max_new_tokens=trial.material.answer_limit,
        on_progress=tell,
    )
    return row_scores(goal, [example.answer or "" for example in measured], [answer.text for answer in answers])


def row_scores(goal: GoalSheet, references: Sequence[str], answers: Sequence[str]) -> FloatArray:
    """The score of each row, float64 ``[rows]``: right or wrong for labels, field F1 for JSON, ROUGE-L for text."""
    found = measure(goal.output, references, answers, labels=goal.labels, schema=goal.schema)[ROW_METRIC[goal.output]]
    assert isinstance(found, Mean)  # ROW_METRIC names means only
    return found.values


def _finish(prepared: Prepared, work: Path, data: dict[str, Any]) -> None:
    """Throw the model away and put the outcome in its place, whole."""
    for left in work.iterdir():
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    write_json(work / OUTCOME, {**data, "hash": _seal(json.loads(json.dumps(data)))})
    make_folder(prepared.folder)
    place = prepared.folder / str(data["id"])
    shutil.rmtree(place, ignore_errors=True)  # a damaged one
    work.rename(place)
    fsync(prepared.folder)
