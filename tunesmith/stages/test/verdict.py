"""Is it good enough to ship, and is it better than what needs no training: in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tunesmith.errors import InputError, raise_all
from tunesmith.example import Score
from tunesmith.products import Criterion, GoalSheet
from tunesmith.scoring.measure import NOT_COMPARED, ROW_METRIC, is_proportion
from tunesmith.scoring.needed import rows_needed
from tunesmith.scoring.paired import Difference
from tunesmith.stages.test.answers import TUNED
from tunesmith.stages.test.rivals import COMMONEST_ANSWER, THE_BASE, Rival
from tunesmith.stages.test.scored import Scored
from tunesmith.stages.test.wording import in_sentence, interval, number, p_value, points

State = Literal["met", "not_met", "undecided"]


@dataclass(frozen=True)
class Judged:
    """One criterion held against its score. ``rows_needed``: test rows that would settle an undecided one."""

    metric: str
    at_least: float
    value: float
    low: float
    high: float
    n: int
    state: State
    rows_needed: int | None
    words: str


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


def judge(criterion: Criterion, scored: Scored) -> Judged:
    """Met when the whole 95% interval reaches the criterion, not met when none of it does."""
    score = scored.score(criterion.metric)
    needed = None
    if score.low >= criterion.at_least:
        state: State = "met"
    elif score.high < criterion.at_least:
        state = "not_met"
    else:
        state = "undecided"
        proportion = is_proportion(scored.statistics[criterion.metric])
        needed = rows_needed(score, criterion.at_least, proportion=proportion)
        needed = max(needed, score.n + 1) if needed is not None else None
    words = _criterion_words(score, criterion.at_least)
    return Judged(
        criterion.metric, criterion.at_least, score.value, score.low, score.high, score.n, state, needed, words
    )


def _criterion_words(score: Score, at_least: float) -> str:
    asked = number(score.metric, at_least)
    return (
        f"{in_sentence(score.metric)} is {number(score.metric, score.value)} "
        f"(95% interval {interval(score)}; asked for: at least {asked})"
    )


def verdict(
    goal: GoalSheet,
    scored: Mapping[str, Scored],
    differences: Sequence[Difference],
    *,
    primary: str,
    test_share: float,
    rival: Rival = THE_BASE,
) -> dict[str, Any]:
    """The goal's verdict on the tuned model, and the comparison with its rival by the ``primary`` metric.

    ``test_share`` is the test part's share of all split rows, to say how many examples it would take in all.
    """
    judged = [judge(criterion, scored[TUNED]) for criterion in goal.success]
    states = [one.state for one in judged]
    if not judged:
        code = "no_goal"
    elif "not_met" in states:
        code = "not_met"
    else:
        code = "too_few_examples" if "undecided" in states else "met"
    open_ones = [one for one in judged if one.state == "undecided"]
    settled = bool(open_ones) and all(one.rows_needed is not None for one in open_ones)
    needed = max(one.rows_needed or 0 for one in open_ones) if settled else None
    enough = [one for one in (rival, COMMONEST_ANSWER) if one.name in scored and _meets(goal, scored[one.name])]
    return {
        "code": code,
        "words": _words(code, judged, needed, test_share),
        "criteria": [asdict(one) for one in judged],
        "rows_needed": needed,
        "comparison": _comparison(
            primary,
            scored,
            differences,
            rival,
            enough,
        ),
    }


def _meets(goal: GoalSheet, scored: Scored) -> bool:
    """Whether a candidate meets every criterion of the goal, where there is one."""
    return bool(goal.success) and all(judge(criterion, scored).state == "met" for criterion in goal.success)


def _words(code: str, judged: Sequence[Judged], needed: int | None, test_share: float) -> str:
    if code == "no_goal":
        return (
            "No success criterion was set (goal.success), so there is nothing to pass or to fail: judge by the scores."
        )
    if code == "met":
        return f"The goal is met: {_listed(judged)}."
    if code == "not_met":
        missed = [one for one in judged if one.state == "not_met"]
        of_all = f"{len(missed)} of {len(judged)} criteria missed: " if len(judged) > 1 else ""
        return f"The goal is not met: {of_all}{_listed(missed)}."
    undecided = [one for one in judged if one.state == "undecided"]
    how_many = _how_many(undecided, needed, test_share)
    return f"{judged[0].n:,} test rows are too few to say: {_listed(undecided)}. {how_many}"


def _listed(judged: Sequence[Judged]) -> str:
    return "; ".join(one.words for one in judged)


def _how_many(undecided: Sequence[Judged], needed: int | None, test_share: float) -> str:
    if needed is not None:
        in_all = f", that is about {round(needed / test_share):,} examples in all" if 0 < test_share < 1 else ""
        against = " as missed" if any(one.value < one.at_least for one in undecided) else ""
        return f"If the value stayed the same, about {needed:,} test rows would settle it{against}{in_all}."
    if any(one.at_least == 1.0 for one in undecided):
        return "No number of rows can prove 100%: ask for a little less."
    return "The value lies on the threshold itself, which no number of rows can settle."


def _comparison(
    metric: str, scored: Mapping[str, Scored], differences: Sequence[Difference], rival: Rival, enough: Sequence[Rival]
) -> dict[str, Any]:
    """Whether the tuned model beats its rival, by the primary metric. ``enough``: what meets the goal untrained."""
    found = next(one for one in differences if (one.metric, one.left, one.right) == (metric, TUNED, rival.name))
    ours, theirs = scored[TUNED].score(metric), scored[rival.name].score(metric)
    figures = (
        f"{in_sentence(metric)} {number(metric, ours.value)} against {number(metric, theirs.value)}, "
        f"a difference of {points(found.value)} points "
        f"(95% interval {points(found.low)} to {points(found.high)}, {p_value(found.p)})"
    )
    words = " ".join([rival.comparison(found.shown, figures), *dict.fromkeys(one.enough for one in enough)])
    return {
        "code": found.shown,
        "metric": metric,
        "against": rival.name,
        "rival_is_enough": any(one.name == rival.name for one in enough),
        "words": words,
    }
