"""The tuned model beside the version in use, on the test rows that both were asked: what got better, what got worse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tunesmith.artifact import read_json
from tunesmith.example import Example
from tunesmith.example_parquet import read_rows
from tunesmith.products import GoalSheet
from tunesmith.scoring.measure import NOT_COMPARED, measure
from tunesmith.scoring.paired import Difference, difference
from tunesmith.scoring.statistic import FloatArray, Mean, Statistic
from tunesmith.stages.test.answers import TUNED
from tunesmith.stages.test.scored import Scored
from tunesmith.stages.test.side_by_side import clipped
from tunesmith.stages.test.wording import in_sentence, number, p_value, plural, points

IN_USE = "in use"
#: Rows of each direction that are told, and characters of a text.
ROWS_TOLD, LONGEST = 20, 300
_TINY = 1e-9


@dataclass(frozen=True)
class ChangedRow:
    """A row that the two answer differently well: ``before`` by the version in use, ``now`` by the tuned model."""

    id: str
    where: str
    input: str
    reference: str
    before: str
    now: str
    score_before: float
    score: float


@dataclass(frozen=True)
class BesideInUse:
    """``rows``: asked of both; ``new``: of the tuned model alone. ``differences``: tuned minus in use.

    ``worse`` and ``better`` count the rows whose score changed; the worst and best of them are told.
    """

    round: int | None
    rows: int
    new: int
    differences: tuple[Difference, ...]
    worse: int
    better: int
    told_worse: tuple[ChangedRow, ...]
    told_better: tuple[ChangedRow, ...]
    words: str

    def as_facts(self) -> dict[str, Any]:
        return asdict(self)


def beside_in_use(
    facts: Mapping[str, Any],
    goal: GoalSheet,
    rows: Sequence[Example],
    references: Sequence[str],
    scored: Scored,
    *,
    primary: str,
    row_metric: str,
    texts: bool,
    resamples: int,
    seed: int,
) -> BesideInUse | None:
    """Compare with the version in use, where there is one (``facts["in_use"]``: the folder of its test).

    Its answers are held against today's references by today's metrics, so that a goal that was changed changes
    nothing. Rows are paired by id, and where only their answer was corrected since then by their input.
    """
    folder = facts.get("in_use")
    if folder is None:
        return None
    number_of_round = facts.get("in_use_round")
    name = f"the version in use{f' (round {number_of_round})' if number_of_round is not None else ''}"
    told_then = read_json(Path(folder) / "test.json")["facts"]
    if told_then.get("row_metric") != row_metric:
        words = f"It cannot be compared with {name}, which gave another kind of answer."
        return BesideInUse(number_of_round, 0, len(rows), (), 0, 0, (), (), words)
    then = dict(_paired(Path(folder), rows))
    both = sorted(then)
    if not both:
        words = f"It cannot be compared with {name}, which was asked none of these test rows."
        return BesideInUse(number_of_round, 0, len(rows), (), 0, 0, (), (), words)
    asked = [references[at] for at in both], [rows[at].input for at in both]
    now, before = _statistics(goal, *asked, both, scored, then, row_metric, texts)
    named = dict.fromkeys([primary, *(one.metric for one in goal.success)])
    wanted = [name for name in named if name not in NOT_COMPARED and name in now and name in before]
    compared = tuple(
        difference(metric, (TUNED, now[metric]), (IN_USE, before[metric]), resamples=resamples, seed=seed)
        for metric in wanted or [row_metric]
    )
    changes = _changes(rows, references, both, scored, then, now[row_metric], before[row_metric])
    worse = sorted(
        (one for one in changes if one.score < one.score_before), key=lambda one: one.score - one.score_before
    )
    better = sorted(
        (one for one in changes if one.score > one.score_before), key=lambda one: one.score_before - one.score
    )
    words = _in_words(name, compared, len(both), len(rows) - len(both), len(worse), len(better))
    return BesideInUse(
        number_of_round,
        len(both),
        len(rows) - len(both),
        compared,
        len(worse),
        len(better),
        tuple(worse[:ROWS_TOLD]),
        tuple(better[:ROWS_TOLD]),
        words,
    )


def _paired(folder: Path, rows: Sequence[Example]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The place of each of today's rows with what the version in use answered to it."""
    by_id: dict[str, dict[str, Any]] = {}
    by_input: dict[str, dict[str, Any]] = {}
    for line in read_rows(folder / "predictions.parquet", ["id", "input", TUNED]):
        by_id[line["id"]] = line[TUNED]
        by_input.setdefault(line["input"], line[TUNED])
    for at, row in enumerate(rows):
        found = by_id.get(row.id) or by_input.get(row.input)
        if found is not None:
            yield at, found


def _statistics(
    goal: GoalSheet,
    references: Sequence[str],
    inputs: Sequence[str],
    both: Sequence[int],
    scored: Scored,
    then: Mapping[int, Mapping[str, Any]],
    row_metric: str,
    texts: bool,
) -> tuple[Mapping[str, Statistic], Mapping[str, Statistic]]:
    """Both models' statistics on the rows that both were asked. Texts were foretold: there the scores stand."""
    if texts:
        scores = [then[at]["score"] for at in both]
        return {row_metric: Mean(scored.by_row[list(both)])}, {row_metric: Mean(np.array(scores, np.float64))}
    given = [scored.answers[at].text for at in both], [then[at]["answer"] for at in both]
    now, before = (
        measure(
            goal.output, references, answers, labels=goal.labels, schema=goal.schema, rules=goal.rules, inputs=inputs
        )
        for answers in given
    )
    return now, before


def _changes(
    rows: Sequence[Example],
    references: Sequence[str],
    both: Sequence[int],
    scored: Scored,
    then: Mapping[int, Mapping[str, Any]],
    now: Statistic,
    before: Statistic,
) -> list[ChangedRow]:
    ours, theirs = _by_row(now), _by_row(before)
    return [
        ChangedRow(
            rows[at].id,
            rows[at].source.where,
            clipped(rows[at].input, LONGEST),
            clipped(references[at], LONGEST),
            clipped(then[at]["answer"], LONGEST),
            clipped(scored.answers[at].text, LONGEST),
            float(theirs[place]),
            float(ours[place]),
        )
        for place, at in enumerate(both)
        if abs(ours[place] - theirs[place]) > _TINY
    ]


def _by_row(statistic: Statistic) -> FloatArray:
    assert isinstance(statistic, Mean)  # ROW_METRIC names means only
    return statistic.values


def _in_words(name: str, compared: Sequence[Difference], rows: int, new: int, worse: int, better: int) -> str:
    first = compared[0]
    shown = {"better": f"better than {name}", "worse": f"worse than {name}"}.get(
        first.shown, f"not shown to differ from {name}"
    )
    figures = (
        f"{in_sentence(first.metric)} differs by {points(first.value)} points (95% interval {points(first.low)} to "
        f"{points(first.high)}, {p_value(first.p)}) on the {plural(rows, 'test row')} that both were asked"
    )
    changed = f"{plural(better, 'row')} got better, {plural(worse, 'row')} got worse"
    unasked = f" {plural(new, 'test row')} it was never asked." if new else ""
    return f"The model is {shown}: {figures}; {changed}.{unasked}"


def figures_of(one: Difference) -> tuple[str, ...]:
    """A difference as cells: metric, difference, interval, p, what is shown."""
    shown = {"better": "better", "worse": "worse", "not_shown": "not shown to differ"}[one.shown]
    return (
        in_sentence(one.metric),
        points(one.value),
        f"{points(one.low)} to {points(one.high)}",
        p_value(one.p),
        shown,
    )


def score_of(one: ChangedRow, metric: str) -> tuple[str, str]:
    return number(metric, one.score_before), number(metric, one.score)
