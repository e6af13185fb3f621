"""The goal's criteria held against the scores, and the test rows that would settle those that are open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tunesmith.errors import InputError, raise_all
from tunesmith.example import Score
from tunesmith.products import Criterion, GoalSheet
from tunesmith.scoring.measure import NOT_COMPARED, ROW_METRIC, is_proportion
from tunesmith.scoring.needed import POWER, rows_needed
from tunesmith.scoring.several import holm
from tunesmith.scoring.threshold import ONE_SIDED, p_missed, p_reached
from tunesmith.stages.test.scored import Scored
from tunesmith.stages.test.wording import in_sentence, interval, number

State = Literal["met", "not_met", "undecided"]
#: A cautious look at the rows needed: the true value lies half as far from what is asked for as it seems to.
CAUTIOUS = 0.5


@dataclass(frozen=True)
class Judged:
    """One criterion held against its score. ``p_missed``: of "it is met", corrected for the number of criteria;
    ``p_reached``: of "it is not"; both one-sided. ``rows_needed``: test rows that would settle an undecided one, with
    a chance of 80% if the true value is this."""

    metric: str
    at_least: float
    value: float
    low: float
    high: float
    n: int
    state: State
    p_missed: float
    p_reached: float
    rows_needed: int | None
    words: str


@dataclass(frozen=True)
class Needed:
    """Test rows that would settle all open criteria with a chance of 80% (``POWER``), if each true value is what it is
    now; ``cautious``: if each lies half as far from what is asked for. ``as_missed``: they would show a miss."""

    rows: int
    cautious: int
    as_missed: bool


def check_criteria(goal: GoalSheet, metrics: Sequence[str]) -> None:
    """Raise InputError for criteria on metrics that this output does not have; all at once."""
    raise_all(
        [
            InputError(
                "unknown_metric",
                f"{criterion.metric!r} is not measured for output: {goal.output}",
                "tunesmith.yaml: goal.success",
                f"choose among: {', '.join(metrics)}",
            )
            for criterion in goal.success
            if criterion.metric not in metrics
        ]
    )


def primary_metric(goal: GoalSheet, otherwise: str | None = None) -> str:
    """The metric that the comparison is about: the goal's first, else ``otherwise`` or the output's own."""
    named = [criterion.metric for criterion in goal.success if criterion.metric not in NOT_COMPARED]
    return named[0] if named else otherwise or ROW_METRIC[goal.output]


def judge_all(goal: GoalSheet, scored: Scored) -> list[Judged]:
    """Each criterion: met or not met where its 95% interval lies on one side, and its test says so too.

    "All are met" is claimed only when each is shown to be, each at its own level: an intersection-union test, whose
    level is that of one of them, so it needs no correction (R. L. Berger, "Multiparameter hypothesis testing and
    acceptance sampling", Technometrics 24, 1982). "One is not met" is claimed when any is, so there the tests are
    corrected by Holm's procedure.
    """
    found = [_measured(criterion, scored) for criterion in goal.success]
    corrected = holm([one.p_missed for one in found])
    judged = []
    for one, p in zip(found, corrected, strict=True):
        missed = one.high < one.at_least and p <= ONE_SIDED
        state: State = "not_met" if missed else one.state
        needed = one.rows_needed if state == "undecided" else None
        words = one.words if state != "undecided" else one.words + _but(one, p)
        judged.append(replace(one, p_missed=p, state=state, rows_needed=needed, words=words))
    return judged


def _but(one: Judged, p: float) -> str:
    """Why a criterion is open though its interval lies on one side."""
    if one.low >= one.at_least:
        return f"; the exact test is stricter than the interval here: one-sided p = {one.p_reached:.4f}"
    if one.high < one.at_least:
        return f"; a miss that is not shown after correction for all criteria: one-sided p = {p:.4f}"
    return ""


def meets(goal: GoalSheet, scored: Scored) -> bool:
    """Whether a candidate is shown to meet every criterion of the goal, where there is one."""
    return bool(goal.success) and all(one.state == "met" for one in judge_all(goal, scored))


def _measured(criterion: Criterion, scored: Scored) -> Judged:
    """A criterion with its own tests, before any correction: met or undecided."""
    score, statistic = scored.score(criterion.metric), scored.statistics[criterion.metric]
    proportion = is_proportion(statistic)
    reached = p_reached(score, criterion.at_least, proportion=proportion)
    met = reached <= ONE_SIDED and score.low >= criterion.at_least
    return Judged(
        criterion.metric,
        criterion.at_least,
        score.value,
        score.low,
        score.high,
        score.n,
        "met" if met else "undecided",
        p_missed(score, criterion.at_least, proportion=proportion),
        reached,
        None if met else _more(rows_needed(statistic, criterion.at_least), score.n),
        _in_words(score, criterion.at_least),
    )


def _in_words(score: Score, at_least: float) -> str:
    asked = number(score.metric, at_least)
    return (
        f"{in_sentence(score.metric)} is {number(score.metric, score.value)} "
        f"(95% interval {interval(score)}; asked for: at least {asked})"
    )


def _more(rows: int | None, n: int) -> int | None:
    """More rows than there are: these were not enough."""
    return None if rows is None else max(rows, n + 1)


def needed(judged: Sequence[Judged], scored: Scored) -> Needed | None:
    """The test rows that would settle the goal; None where no number of rows would.

    Where a value lies below what is asked for, its miss would settle the goal, by Holm's first and strictest
    step. Else all must be shown to be met at once: each with so high a chance that all are with one of 80%.
    """
    low = [one for one in judged if one.value < one.at_least]
    count = len(judged)
    rows: list[int] = []
    for nearer in (1.0, CAUTIOUS):
        found = [
            _rows(one, scored, nearer, power=POWER, level=ONE_SIDED / count)
            if low
            else _rows(one, scored, nearer, power=1 - (1 - POWER) / count, level=ONE_SIDED)
            for one in low or judged
        ]
        known = [one for one in found if one is not None]
        if not known or (not low and len(known) < len(found)):
            return None
        best: Callable[[list[int]], int] = min if low else max
        rows.append(max(best(known), judged[0].n + 1))
    return Needed(rows[0], rows[1], bool(low))


def _rows(one: Judged, scored: Scored, nearer: float, *, power: float, level: float) -> int | None:
    return rows_needed(scored.statistics[one.metric], one.at_least, power=power, level=level, nearer=nearer)
