"""Ship, do not ship, or not enough evidence: in plain words. See docs/decisions/0010-verdict.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tunesmith.products import Forgetting, GoalSheet
from tunesmith.scoring.needed import POWER
from tunesmith.scoring.paired import Difference
from tunesmith.stages.test.answers import TUNED
from tunesmith.stages.test.criteria import Judged, Needed, judge_all, meets, needed
from tunesmith.stages.test.harm import Harm, forgot, harms
from tunesmith.stages.test.rivals import COMMONEST_ANSWER, THE_BASE, Rival
from tunesmith.stages.test.scored import Scored
from tunesmith.stages.test.slices import Slice
from tunesmith.stages.test.wording import in_sentence, number, p_value, points

Decision = Literal["ship", "do_not_ship", "not_enough_evidence"]

HEADLINES: dict[Decision, str] = {
    "ship": "Ship",
    "do_not_ship": "Do not ship",
    "not_enough_evidence": "Not enough evidence",
}
NOT_NEEDED = "Good enough to ship, but not shown to be needed"
#: What a training's verdict tells of a model that is not fit to ship.
_TELLING = ("overfitting", "did_not_learn")


@dataclass(frozen=True)
class Looked:
    """What the verdict looks at beside the criteria.

    ``against_in_use``: tuned minus the version in use; ``cut``: slices by ``row_metric``; ``training``: its verdict.
    """

    against_in_use: Sequence[Difference] = ()
    cut: Sequence[Slice] = ()
    row_metric: str = ""
    forgetting: Forgetting | None = None
    training: Mapping[str, Any] | None = None


def verdict(
    goal: GoalSheet,
    scored: Mapping[str, Scored],
    differences: Sequence[Difference],
    *,
    primary: str,
    test_share: float,
    rival: Rival = THE_BASE,
    looked: Looked | None = None,
) -> dict[str, Any]:
    """The decision on the tuned model, the goal's state, and the comparison with its rival by ``primary``.

    ``test_share`` is the test part's share of all split rows, to say how many examples it would take in all.
    Ship: every criterion is shown to be met, and no harm is even suspected. Do not ship: a criterion is shown to be
    missed, or a harm is shown. A model that meets its goal and does no harm is told "do not ship" at most 5 times in
    100: the criteria and the harms are each corrected to 2.5.
    """
    looked = looked or Looked()
    judged = judge_all(goal, scored[TUNED])
    code = _goal_code(judged)
    settling = needed(judged, scored[TUNED]) if code == "too_few_examples" else None
    against_rival = _against(primary, differences, rival)
    found = harms(against_rival, rival, looked.against_in_use, looked.cut, looked.row_metric)
    against = [one.words for one in found if one.shown]
    if lost := forgot(looked.forgetting):
        against.append(lost)
    doubts = [one for one in found if one.suspected]
    enough = [one for one in (rival, COMMONEST_ANSWER) if one.name in scored and meets(goal, scored[one.name])]
    decision = _decision(code, against, doubts)
    comparison = _comparison(primary, scored, against_rival, rival, enough)
    goal_words = _goal_words(code, judged, settling, test_share)
    grounds = [goal_words, *_harm_words(against, doubts)]
    if decision == "do_not_ship" and code != "not_met":
        grounds = [*grounds[1:], goal_words]  # what forbids it comes first
    words = [f"{HEADLINES[decision]}.", *grounds, _why(decision, looked.training)]
    return {
        "decision": decision,
        "headline": _headline(decision, code, comparison["code"]),
        "code": code,
        "words": " ".join(filter(None, words)),
        "criteria": [asdict(one) for one in judged],
        "harms": [{**asdict(one), "shown": one.shown} for one in found if one.p < 1],
        "forgot": bool(lost),
        "rows_needed": settling.rows if settling else None,
        "rows_needed_cautious": settling.cautious if settling else None,
        "comparison": comparison,
    }


def _goal_code(judged: Sequence[Judged]) -> str:
    states = [one.state for one in judged]
    if not states:
        return "no_goal"
    if "not_met" in states:
        return "not_met"
    return "too_few_examples" if "undecided" in states else "met"


def _decision(code: str, against: Sequence[str], doubts: Sequence[Harm]) -> Decision:
    if code == "not_met" or against:
        return "do_not_ship"
    return "ship" if code == "met" and not doubts else "not_enough_evidence"


def _headline(decision: Decision, code: str, compared: str) -> str:
    if decision == "ship" and compared != "better":
        return NOT_NEEDED
    return "No goal was set" if decision == "not_enough_evidence" and code == "no_goal" else HEADLINES[decision]


def _harm_words(against: Sequence[str], doubts: Sequence[Harm]) -> list[str]:
    said = [_sentence(words) for words in against]
    if doubts:
        listed = "; ".join(one.words for one in doubts)
        said.append(f"These rows hint, and do not show after correction, that {listed}.")
    return said


def _sentence(words: str) -> str:
    words = words[:1].upper() + words[1:]
    return words if words.endswith(".") else f"{words}."


def _why(decision: Decision, training: Mapping[str, Any] | None) -> str:
    """What training's own verdict says of a model that is not fit to ship, where it explains it."""
    if decision == "ship" or training is None or training.get("code") not in _TELLING:
        return ""
    return f"Training tells why: {training.get('words', '')}"


def _goal_words(code: str, judged: Sequence[Judged], settling: Needed | None, test_share: float) -> str:
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
    how_many = _how_many(undecided, settling, test_share)
    return f"{judged[0].n:,} test rows are too few to say: {_listed(undecided)}. {how_many}"


def _listed(judged: Sequence[Judged]) -> str:
    return "; ".join(one.words for one in judged)


def _how_many(undecided: Sequence[Judged], settling: Needed | None, test_share: float) -> str:
    if settling is not None:
        in_all = f" (about {round(settling.rows / test_share):,} examples in all)" if 0 < test_share < 1 else ""
        against = " as missed" if settling.as_missed else ""
        values = "value is what it is" if len(undecided) == 1 else "values are what they are"
        chances = f"{round(10 * POWER)} chances in 10"
        return (
            f"With {settling.rows:,} test rows{in_all} there are {chances} to settle it{against}, if the true {values} "
            f"now; with {settling.cautious:,}, if the truth lies half as far from what is asked for."
        )
    if any(one.at_least == 1.0 for one in undecided):
        return "No number of rows can prove 100%: ask for a little less."
    return "The value lies on the threshold itself, which no number of rows can settle."


def _against(metric: str, differences: Sequence[Difference], rival: Rival) -> Difference:
    return next(one for one in differences if (one.metric, one.left, one.right) == (metric, TUNED, rival.name))


def _comparison(
    metric: str, scored: Mapping[str, Scored], found: Difference, rival: Rival, enough: Sequence[Rival]
) -> dict[str, Any]:
    """Whether the tuned model beats its rival, by the primary metric. ``enough``: what meets the goal untrained."""
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
