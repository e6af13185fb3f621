"""The stage `test`: is it good enough to ship.

The locked test part is read here and nowhere else: the base with the goal's prompt and the tuned
model answer its rows, and every score comes with n and a 95% interval. A fresh model has no base to
beat (see rivals.py), and texts without a question are not answered but foretold (see documents.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from tunesmith import plugins
from tunesmith.artifact import write_json, write_text
from tunesmith.errors import InputError
from tunesmith.example import Example
from tunesmith.leak_certificate import check_certificate
from tunesmith.products import PARTS, BaseModel, CleanSet, Dataset, GoalSheet, Splits, TunedModel
from tunesmith.scoring.measure import ROW_METRIC, TEXT_METRICS, metrics_of
from tunesmith.stages.context import Context
from tunesmith.stages.test.answers import ENFORCED, TUNED, answer_all, answer_limit, candidates, facts_of
from tunesmith.stages.test.commonest import commonest_answer
from tunesmith.stages.test.confidence import calibration
from tunesmith.stages.test.criteria import check_criteria, primary_metric
from tunesmith.stages.test.documents import Documents
from tunesmith.stages.test.earlier_rounds import answers_of_rounds
from tunesmith.stages.test.endpoints import answers_of_endpoints, check_endpoints
from tunesmith.stages.test.hand_off import hand_off
from tunesmith.stages.test.in_use import beside_in_use
from tunesmith.stages.test.mix_ups import mix_ups
from tunesmith.stages.test.opinions import opinions
from tunesmith.stages.test.predictions import write_predictions
from tunesmith.stages.test.raccoon.measure import Suite, measure_suite
from tunesmith.stages.test.report_data import Measured, gather
from tunesmith.stages.test.report_html import as_html
from tunesmith.stages.test.report_markdown import as_markdown
from tunesmith.stages.test.report_rounds import rounds_so_far
from tunesmith.stages.test.rivals import COMMONEST_ANSWER, Rival, rival_of
from tunesmith.stages.test.scored import Scored, differences, score_answers
from tunesmith.stages.test.settings import TestSettings
from tunesmith.stages.test.side_by_side import WorstRow, side_by_side
from tunesmith.stages.test.slices import as_facts, in_words, slices, training_inputs
from tunesmith.stages.test.verdict import Looked, verdict
from tunesmith.stages.test.worst import worst_rows
from tunesmith.test_lock import test_lock

VERSION = 6


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
    split: Splits = inputs["split"]
    tuned: TunedModel = inputs["train"]
    check_endpoints(settings)
    locked = locked_rows(inputs["clean"], split)
    check_certificate(split, inputs["clean"], PARTS)
    rows, texts = asked_rows(locked, inputs["format"])
    rival = rival_of(base, goal.output, texts=texts)
    draw: dict[str, int] = {"resamples": settings.resamples, "seed": context.seed}
    measure = _measure_texts if texts else _measure_answers
    found = measure(inputs, rows, rival, find_learner, settings, context, draw)
    scored = found.scored
    compared = differences(scored, rival.name, **draw)
    primary = primary_metric(goal, TEXT_METRICS[0] if texts else None)
    row_metric = TEXT_METRICS[0] if texts else ROW_METRIC[goal.output]
    cut = slices(
        rows,
        scored[TUNED].by_row,
        scored[rival.name].by_row,
        goal,
        training_inputs(inputs["clean"], split),
        context.seed,
    )
    beside = beside_in_use(
        context.facts,
        goal,
        rows,
        found.references,
        scored[TUNED],
        primary=primary,
        row_metric=row_metric,
        texts=texts,
        **draw,
    )
    looked = Looked(
        against_in_use=beside.differences if beside else (),
        cut=cut,
        row_metric=row_metric,
        forgetting=tuned.forgetting if settings.forgetting else None,
        training=tuned.verdict,
    )
    judged = verdict(goal, scored, compared, primary=primary, test_share=_test_share(split), rival=rival, looked=looked)
    questions = [row.input for row in rows]
    worst = worst_rows(scored[TUNED].by_row, scored[rival.name].by_row, settings.worst)
    facts = {
        "rows": len(rows),
        "not_asked": len(locked) - len(rows),
        "primary": primary,
        "row_metric": row_metric,
        "slices": {"words": in_words(cut, row_metric, rival.short), "found": as_facts(cut)},
        "test_sha256": split.test_sha256,
        "hand_off": None if texts else hand_off(goal, questions, found.references, scored[TUNED], primary, **draw),
        "calibration": None if texts else calibration(goal, found.references, scored[TUNED], **draw),
        "in_use": beside.as_facts() if beside else None,
        "worst": [rows[index].id for index in worst],
        "opinions": opinions(settings, rows, scored, rival.name, context),
        **draw,
        **found.facts,
    }
    answers = [answer.text for answer in scored[TUNED].answers]
    mixed = mix_ups(found.references, answers) if goal.output == "label" else []
    measured = Measured(
        scored, compared, judged, facts, found.show(worst), mixed, rival, time.monotonic() - began, beside, found.suite
    )
    _write(inputs, measured, rows, found.references, context)
    figures = {name: scored[name].score(primary).value for name in (rival.name, TUNED)}
    return {"rows": len(rows), "verdict": judged["decision"], "primary": {"metric": primary, **figures}}


@dataclass(frozen=True)
class _Found:
    """The candidates' scores, rival first; what the rows ask for; facts; and what shows some of the rows."""

    scored: dict[str, Scored]
    references: Sequence[str]
    facts: Mapping[str, Any]
    show: Callable[[Sequence[int]], list[WorstRow]]
    suite: Suite | None = None


def _measure_answers(
    inputs: Mapping[str, Any],
    rows: Sequence[Example],
    rival: Rival,
    find_learner: Callable[[str], Any],
    settings: TestSettings,
    context: Context,
    draw: Mapping[str, int],
) -> _Found:
    """Ask each candidate for an answer to each row, and score it."""
    goal, base, split, tuned = inputs["goal"], inputs["base"], inputs["split"], inputs["train"]
    learner = find_learner(tuned.learner)
    references = [row.answer or "" for row in rows]
    check_criteria(goal, metrics_of(goal.output, references, goal.schema, goal.rules))
    limit = answer_limit(inputs["format"], split, base, settings.max_new_tokens)
    asked = candidates(goal, enforce_schema=settings.enforce_schema, with_base=not base.from_scratch)
    answers = answer_all(asked, learner, rows, goal, base, tuned, context, max_new_tokens=limit)
    answers |= answers_of_rounds(settings, rows, goal, find_learner, context, max_new_tokens=limit)
    answers |= answers_of_endpoints(settings, rows, goal, context, max_new_tokens=limit)
    facts = {"max_new_tokens": limit, **facts_of(answers)}
    always = commonest_answer(inputs["clean"], split, goal.output, len(rows))
    enforced = {rival.name + ENFORCED: always} if base.from_scratch and TUNED + ENFORCED in answers else {}
    if base.from_scratch:
        answers = {TUNED: answers.pop(TUNED), **enforced, **answers}
    answers = {COMMONEST_ANSWER.name: always, **answers}
    questions = [row.input for row in rows]
    scored = {name: score_answers(goal, references, given, questions, **draw) for name, given in answers.items()}
    suite, unknown = measure_suite(
        inputs, rows, scored[TUNED], learner, settings, context, max_new_tokens=limit, **draw
    )
    facts |= {"raccoon": suite.facts if suite else None, "unknown": unknown}
    return _Found(
        scored, references, facts, lambda shown: side_by_side(rows, references, scored, shown, goal, rival.name), suite
    )


def _measure_texts(
    inputs: Mapping[str, Any],
    rows: Sequence[Example],
    rival: Rival,
    find_learner: Callable[[str], Any],
    settings: TestSettings,
    context: Context,
    draw: Mapping[str, int],
) -> _Found:
    """Measure how well each text is foretold."""
    goal, dataset = inputs["goal"], inputs["format"]
    learner = find_learner(inputs["train"].learner)
    check_criteria(goal, TEXT_METRICS)
    encoded = {row.id: row for row in dataset.rows(frozenset(row.id for row in rows))}
    texts = Documents(rows, [encoded[row.id] for row in rows], learner, inputs["base"], goal, inputs["train"], context)
    scored = texts.scored(dataset, inputs["split"], **draw)
    facts: dict[str, Any] = {"max_new_tokens": None, "cut": {}, "seconds_per_answer": {}, "texts": True}
    return _Found(scored, [row.input for row in rows], facts, lambda shown: texts.continued(scored, shown))


def asked_rows(locked: Sequence[Example], dataset: Dataset) -> tuple[list[Example], bool]:
    """The test rows to measure on, and whether these are texts without a question.

    Rows that `format` set aside after the split cannot be shown to the model. Where some rows have a question, the
    texts without one are left out: the two are measured in different ways.
    """
    shown = frozenset(dataset.ids())
    rows = [row for row in locked if row.id in shown]
    asked = [row for row in rows if not row.is_document]
    if not rows:
        fix = "give more examples, or a larger split.test"
        raise InputError("no_test_rows", "no row of the test part can be shown to the model", "split", fix)
    return asked or rows, not asked


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
    metric, resamples = measured.facts["row_metric"], measured.facts["resamples"]
    earlier = rounds_so_far(context.facts.get("rounds", ()), context.folder / "predictions.parquet", metric, resamples)
    report = gather(inputs, replace(measured, rounds=earlier), context)
    write_text(context.folder / "report.html", as_html(report))
    write_text(context.folder / "report.md", as_markdown(report))
