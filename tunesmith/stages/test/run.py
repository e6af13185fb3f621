"""The stage `test`: is it good enough to ship.

The locked test part is read here and nowhere else: the base with the goal's prompt and the tuned
model answer its rows, and every score comes with n and a 95% interval.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tunesmith import plugins
from tunesmith.artifact import write_json, write_text
from tunesmith.errors import InputError
from tunesmith.example import Example
from tunesmith.leak_certificate import check_certificate
from tunesmith.products import PARTS, BaseModel, CleanSet, Dataset, GoalSheet, Splits, TunedModel
from tunesmith.scoring.measure import ROW_METRIC, metrics_of
from tunesmith.stages.context import Context
from tunesmith.stages.test.answers import BASE, TUNED, answer_all, answer_limit, candidates, facts_of
from tunesmith.stages.test.hand_off import hand_off
from tunesmith.stages.test.mix_ups import mix_ups
from tunesmith.stages.test.predictions import write_predictions
from tunesmith.stages.test.report_data import Measured, gather
from tunesmith.stages.test.report_html import as_html
from tunesmith.stages.test.report_markdown import as_markdown
from tunesmith.stages.test.scored import Scored, differences, score_answers
from tunesmith.stages.test.settings import TestSettings
from tunesmith.stages.test.side_by_side import side_by_side
from tunesmith.stages.test.verdict import check_criteria, primary_metric, verdict
from tunesmith.stages.test.worst import worst_rows
from tunesmith.test_lock import test_lock

VERSION = 2


def run(
    inputs: Mapping[str, Any],
    settings: TestSettings,
    context: Context,
    *,
    find_learner: Callable[[str], Any] = plugins.learner,
) -> dict[str, Any]:
    """Measure base and tuned on the locked test part; write test.json, predictions.parquet and the report.

    ``find_learner`` gives the learner by its name; tests put their own in its place. Raises InputError
    when the test part is not the one that was locked, or a criterion names an unknown metric.
    """
    began = time.monotonic()
    goal: GoalSheet = inputs["goal"]
    base: BaseModel = inputs["base"]
    dataset: Dataset = inputs["format"]
    split: Splits = inputs["split"]
    tuned: TunedModel = inputs["train"]
    rows = locked_rows(inputs["clean"], split)
    check_certificate(split, inputs["clean"], PARTS)
    references = [row.answer or "" for row in rows]
    check_criteria(goal, metrics_of(goal.output, references, goal.schema))

    limit = answer_limit(dataset, split, base, settings.max_new_tokens)
    asked = candidates(goal, enforce_schema=settings.enforce_schema)
    predict = find_learner(tuned.learner).predict.predict
    answers = answer_all(asked, predict, rows, goal, base, tuned, context, max_new_tokens=limit)

    draw: dict[str, int] = {"resamples": settings.resamples, "seed": context.seed}
    scored = {name: score_answers(goal, references, given, **draw) for name, given in answers.items()}
    found = differences(scored, **draw)
    judged = verdict(goal, scored, found, test_share=_test_share(split))
    worst = worst_rows(scored[TUNED].by_row, scored[BASE].by_row, settings.worst)
    primary = primary_metric(goal)
    facts = {
        "rows": len(rows),
        "primary": primary,
        "row_metric": ROW_METRIC[goal.output],
        "max_new_tokens": limit,
        "test_sha256": split.test_sha256,
        "hand_off": hand_off(goal, references, scored[TUNED], primary, **draw),
        "worst": [rows[index].id for index in worst],
        **draw,
        **facts_of(answers),
    }
    shown = side_by_side(rows, references, scored, worst, goal)
    mixed = mix_ups(references, [answer.text for answer in answers[TUNED]]) if goal.output == "label" else []
    measured = Measured(scored, found, judged, facts, shown, mixed, time.monotonic() - began)
    _write(inputs, measured, rows, references, context)
    figures = {name: scored[name].score(primary).value for name in (BASE, TUNED)}
    return {"rows": len(rows), "verdict": judged["code"], "primary": {"metric": primary, **figures}}


def locked_rows(clean: CleanSet, split: Splits) -> list[Example]:
    """The test part's examples, in its own order. Raises InputError unless they are what was locked."""
    ids = split.ids("test")
    found = {example.id: example for example in clean.examples(set(ids))}
    rows = [found[id] for id in ids if id in found]
    if test_lock(rows) != split.test_sha256:
        raise InputError(
            "test_part_changed",
            "the test part is not the one that was locked when the data was split, so its scores would mean nothing",
            str(split.path),
            "`tunesmith run --from-scratch` makes all stages again from your sources",
        )
    if not rows:
        raise InputError("no_test_rows", "the test part is empty", "split", "give more examples or a larger split.test")
    return rows


def _test_share(split: Splits) -> float:
    sizes = [len(split.ids(part)) for part in ("train", "validation", "test")]
    return sizes[2] / sum(sizes)


def _write(
    inputs: Mapping[str, Any],
    measured: Measured,
    rows: Sequence[Example],
    references: Sequence[str],
    context: Context,
) -> None:
    scored: Mapping[str, Scored] = measured.scored
    write_predictions(context.folder / "predictions.parquet", rows, references, scored)
    data = {
        "scores": {name: [asdict(score) for score in one.scores] for name, one in scored.items()},
        "differences": [asdict(one) for one in measured.differences],
        "verdict": measured.verdict,
        "facts": measured.facts,
    }
    write_json(context.folder / "test.json", data)
    report = gather(inputs, measured, context)
    write_text(context.folder / "report.html", as_html(report))
    write_text(context.folder / "report.md", as_markdown(report))
