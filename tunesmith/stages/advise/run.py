"""The stage `advise`: measure every way to do the task on validation rows, and say which one to use."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from tunesmith import plugins
from tunesmith.answering.cache import AnswerCache
from tunesmith.answering.equipment import Equipment, Shelf
from tunesmith.answering.limit import limit_for
from tunesmith.answering.setups import in_words
from tunesmith.artifact import write_json, write_text
from tunesmith.errors import InputError
from tunesmith.example import Example
from tunesmith.example_parquet import RowWriter
from tunesmith.leak_certificate import check_certificate
from tunesmith.learners.protocol import Prediction
from tunesmith.products import BaseModel, CleanSet, Dataset, GoalSheet, Splits, TunedModel
from tunesmith.retrieval.index import FOLDER, Knowledge, build_or_open
from tunesmith.scoring.paired import Difference
from tunesmith.stages.advise.advice import ArmFacts, TaskFacts, advise
from tunesmith.stages.advise.arms import Arm, Asking, Found, Seconds, measure
from tunesmith.stages.advise.compare import Scored, compare, primary_metric, score_arm
from tunesmith.stages.advise.costs import Cost, cost_of
from tunesmith.stages.advise.held_out import clear, held_out
from tunesmith.stages.advise.page import HEADS, as_markdown
from tunesmith.stages.advise.page import rows as table_rows
from tunesmith.stages.advise.settings import AdviseSettings
from tunesmith.stages.context import Context

VERSION = 3
#: Similar examples are chosen among so many training rows.
MOST_EXAMPLES = 10_000
#: Prompts are chosen on so many training rows.
MOST_SEARCHED = 32
RESAMPLES = 10_000
NOT_TRAINED = "nothing is trained yet: `tunesmith train`, and ask again"
_EXAMPLES = pa.schema([("id", pa.string()), ("vector", pa.binary())])
_ANSWERS = pa.schema([(name, pa.string()) for name in ("id", "arm", "answer")])


def run(
    inputs: Mapping[str, Any],
    settings: AdviseSettings,
    context: Context,
    *,
    find_learner: Callable[[str, str, str], Any] = plugins.learner_for,
    resamples: int = RESAMPLES,
) -> dict[str, Any]:
    """Measure the arms and write advise.json, advise.md and the answers.

    ``inputs["train"]`` may be missing: then only what needs no training is measured. Reads train and validation rows
    alone. Raises InputError ``nothing_to_advise`` where no row has an answer to be measured by.
    """
    goal, base, split = inputs["goal"], inputs["base"], inputs["split"]
    check_certificate(split, inputs["clean"], ("train", "validation"))
    training, validation = _rows(inputs, settings, context.seed)
    learner = find_learner(base.kind, goal.input, goal.output)
    equipment, seconds = _equip(inputs, settings, context, learner, training)
    asking = Asking(equipment, AnswerCache(context.facts.get("answers")), context, settings.minutes)
    tuned: TunedModel | None = inputs.get("train")

    def prepare_tuned() -> Equipment:
        return replace(equipment, tuned=held_out(inputs, learner, context))

    shown = _sample(training, min(settings.rows, MOST_SEARCHED), context.seed)
    found = measure(
        asking,
        shown,
        validation,
        settings,
        seconds,
        no_tuned=None if tuned else NOT_TRAINED,
        prepare_tuned=prepare_tuned,
    )
    rows = validation[: found.rows]
    draw = {"resamples": resamples, "seed": context.seed}
    scored = {arm.setup.name: score_arm(goal, rows, arm.answers, **draw) for arm in found.arms}
    facts, pairs = compare(goal, scored, **draw) if scored else ([], [])
    advised = advise(facts, _task(inputs, settings, goal, training))
    costs = _costs(found.arms, rows, asking.equipment, settings)
    if tuned is not None:
        clear(context)
    arms = [_arm(arm, scored[arm.setup.name], facts, pairs, costs) for arm in found.arms]
    told = _facts(goal, found, tuned)
    write_json(
        context.folder / "advise.json",
        {
            "arms": arms,
            "table": [HEADS, *table_rows(arms, told["metric"])],
            "left_out": found.left_out,
            "advice": asdict(advised),
            "facts": told,
        },
    )
    chosen = [arm.setup for arm in found.arms if arm.setup.name == advised.arm]
    if chosen:
        write_json(context.folder / "setup.json", chosen[0].as_json())
    _write(context.folder, rows, found.arms, equipment)
    return {"rows": found.rows, "arms": len(found.arms), "advice": advised.answer}


def _rows(inputs: Mapping[str, Any], settings: AdviseSettings, seed: int) -> tuple[list[Example], list[Example]]:
    """Training rows that can be shown as examples, and validation rows to measure on: those with a question."""
    split: Splits = inputs["split"]
    dataset: Dataset = inputs["format"]
    clean: CleanSet = inputs["clean"]
    shown = frozenset(dataset.ids())
    parts = []
    for part in ("train", "validation"):
        ids = [id for id in split.ids(part) if id in shown]  # type: ignore[arg-type]
        most = MOST_EXAMPLES if part == "train" else settings.rows
        ids = random.Random(seed).sample(ids, most) if len(ids) > most else ids
        found = {row.id: row for row in clean.examples(set(ids))}
        parts.append([found[id] for id in ids if not found[id].is_document and found[id].answer is not None])
    if not parts[1]:
        raise InputError(
            "nothing_to_advise",
            "no validation row has a question and an answer, so nothing can be measured",
            "split",
            "see `tunesmith show split`; give more examples, or a larger split.validation",
        )
    return parts[0], parts[1]


def _sample(rows: Sequence[Example], count: int, seed: int) -> list[Example]:
    return random.Random(seed + 1).sample(list(rows), min(count, len(rows)))


def _equip(
    inputs: Mapping[str, Any], settings: AdviseSettings, context: Context, learner: Any, training: Sequence[Example]
) -> tuple[Equipment, Seconds]:
    """What the arms answer with: similar examples, documents, the models; and how long that took."""
    goal: GoalSheet = inputs["goal"]
    base: BaseModel = inputs["base"]
    given = context.facts.get("encoder") or {}
    encoder: Path | None = base.folder if base.kind == "encoder" else given.get("folder")
    began = time.monotonic()
    shelf = None
    if not base.from_scratch:
        shelf = Shelf.of(training, encoder, on_progress=lambda done, total: context.progress(done, total, "examples"))
    shelved = time.monotonic() - began
    knowledge: Knowledge | None = None
    if settings.knowledge is not None and base.kind != "encoder":
        place = context.project / settings.knowledge
        knowledge = build_or_open(
            place,
            settings.chunk_words,
            context.facts.get("knowledge") or context.folder / FOLDER,
            encoder=encoder,
            encoder_sha256=given.get("sha256"),
            on_progress=lambda done, total: context.progress(done, total, "pieces"),
        )
    tuned: TunedModel | None = inputs.get("train")
    seen = {id for part in ("train", "validation") for id in inputs["split"].ids(part)}
    limit = limit_for(inputs["format"].rows(seen), base.context // 2)  # examples and documents need the other half
    equipment = Equipment(learner, base, goal, tuned, limit, shelf, knowledge)
    trained = float(tuned.facts.get("seconds", 0.0)) if tuned else 0.0
    return equipment, Seconds(shelved, knowledge.seconds if knowledge else 0.0, trained)


def _task(
    inputs: Mapping[str, Any], settings: AdviseSettings, goal: GoalSheet, training: Sequence[Example]
) -> TaskFacts:
    strict = goal.output != "text" or bool(goal.rules)
    metric = primary_metric(goal)
    knowledge = None if inputs["base"].kind == "encoder" else settings.knowledge is not None
    return TaskFacts(metric, len(training), knowledge, strict, settings.margin)


def _costs(
    arms: Sequence[Arm], rows: Sequence[Example], equipment: Equipment, settings: AdviseSettings
) -> dict[str, Cost]:
    prompts = [row.prompt for row in rows]
    return {
        arm.setup.name: cost_of(arm.setup, prompts, arm.answers, equipment, settings, build=arm.build) for arm in arms
    }


def _arm(
    arm: Arm, scored: Scored, facts: Sequence[ArmFacts], pairs: Sequence[Difference], costs: Mapping[str, Cost]
) -> dict[str, Any]:
    """One line of the table. ``behind``: the best arm less this one, None of the best."""
    name = arm.setup.name
    own = next(one for one in facts if one.name == name)
    pair = next((one for one in pairs if one.right == name), None)
    behind = {**asdict(pair), "p_holm": own.behind_p, "shown": own.worse} if pair else None
    return {
        "name": name,
        "setup": arm.setup.as_json(),
        "words": in_words(arm.setup),
        "scores": [asdict(one) for one in scored.scores.values()],
        "meets": own.meets,
        "behind": behind,
        "cost": asdict(costs[name]),
    }


def _facts(goal: GoalSheet, found: Found, tuned: TunedModel | None) -> dict[str, Any]:
    return {
        "metric": primary_metric(goal),
        "rows": found.rows,
        "trained": tuned is not None,
        "tried": [{**asdict(one), "setup": one.setup.as_json(), "words": in_words(one.setup)} for one in found.tried],
    }


def _write(folder: Path, rows: Sequence[Example], arms: Sequence[Arm], equipment: Equipment) -> None:
    with RowWriter(folder / "answers.parquet", _ANSWERS) as writer:
        for arm in arms:
            for row, answer in zip(rows, arm.answers, strict=True):
                writer.write(_answer(row, arm, answer))
    shelf = equipment.shelf
    with RowWriter(folder / "examples.parquet", _EXAMPLES) as writer:
        for at, example in enumerate(shelf.examples if shelf else ()):
            vector = shelf.index.vectors[at].tobytes() if shelf and shelf.index.vectors is not None else b""
            writer.write({"id": example.id, "vector": vector})
    write_text(folder / "advise.md", as_markdown(folder))


def _answer(row: Example, arm: Arm, answer: Prediction) -> dict[str, str]:
    return {"id": row.id, "arm": arm.setup.name, "answer": answer.text}
