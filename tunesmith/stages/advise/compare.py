"""Score the arms on the same rows, and compare each with the best by a paired test, corrected for their number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tunesmith.example import Example, Score
from tunesmith.learners.protocol import Prediction
from tunesmith.products import GoalSheet
from tunesmith.scoring.intervals import score
from tunesmith.scoring.measure import NOT_COMPARED, ROW_METRIC, measure
from tunesmith.scoring.paired import Difference, difference
from tunesmith.scoring.several import holm
from tunesmith.scoring.statistic import Statistic
from tunesmith.stages.advise.advice import ArmFacts


@dataclass(frozen=True)
class Scored:
    """An arm's metrics on the rows, ready to be compared."""

    statistics: Mapping[str, Statistic]
    scores: Mapping[str, Score]


def primary_metric(goal: GoalSheet) -> str:
    """What arms are compared by: the goal's first metric, else the output's own."""
    named = [criterion.metric for criterion in goal.success if criterion.metric not in NOT_COMPARED]
    return named[0] if named else ROW_METRIC[goal.output]


def statistics_of(goal: GoalSheet, rows: Sequence[Example], answers: Sequence[Prediction]) -> Mapping[str, Statistic]:
    """Every metric of the output, row by row."""
    return measure(
        goal.output,
        [row.answer or "" for row in rows],
        [answer.text for answer in answers],
        labels=goal.labels,
        schema=goal.schema,
        rules=goal.rules,
        inputs=[row.input for row in rows],
    )


def score_arm(
    goal: GoalSheet, rows: Sequence[Example], answers: Sequence[Prediction], *, resamples: int, seed: int
) -> Scored:
    """The primary metric and the goal's criteria, each with its interval."""
    found = statistics_of(goal, rows, answers)
    wanted = dict.fromkeys([primary_metric(goal), *(criterion.metric for criterion in goal.success)])
    scores = {name: score(name, found[name], resamples=resamples, seed=seed) for name in wanted}
    return Scored(found, scores)


def compare(
    goal: GoalSheet, scored: Mapping[str, Scored], *, resamples: int, seed: int
) -> tuple[list[ArmFacts], list[Difference]]:
    """The facts of each arm, and the difference of the best to each other with its p-value corrected by Holm.

    Of equally good arms the one that comes first counts as the best.
    """
    metric = primary_metric(goal)
    best = max(scored, key=lambda name: scored[name].scores[metric].value)
    others = [name for name in scored if name != best]
    pairs = [
        difference(
            metric,
            (best, scored[best].statistics[metric]),
            (name, scored[name].statistics[metric]),
            resamples=resamples,
            seed=seed,
        )
        for name in others
    ]
    corrected = dict(zip(others, holm([pair.p for pair in pairs]), strict=True))
    behind = dict(zip(others, pairs, strict=True))
    facts = []
    for name, one in scored.items():
        shown, pair = one.scores[metric], behind.get(name)
        criteria = [(one.scores[criterion.metric], criterion.at_least) for criterion in goal.success]
        facts.append(
            ArmFacts(
                name,
                shown.value,
                shown.low,
                shown.high,
                shown.n,
                all(found.low >= least for found, least in criteria) if criteria else None,
                any(found.high < least for found, least in criteria),
                pair.value if pair else 0.0,
                pair.low if pair else 0.0,
                corrected.get(name, 1.0),
            )
        )
    return facts, pairs
