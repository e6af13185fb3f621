"""Scores of each candidate, and the differences between tuned and base."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tunesmith.example import Score
from tunesmith.learners.protocol import Prediction
from tunesmith.products import GoalSheet
from tunesmith.scoring.intervals import score
from tunesmith.scoring.measure import NOT_COMPARED, ROW_METRIC, measure
from tunesmith.scoring.paired import Difference, difference
from tunesmith.scoring.statistic import FloatArray, Mean, Statistic
from tunesmith.stages.test.answers import BASE, ENFORCED, TUNED


@dataclass(frozen=True)
class Scored:
    """One candidate's answers and what they are worth; ``by_row`` is float64 ``[rows]``, 0 to 1."""

    answers: Sequence[Prediction]
    statistics: Mapping[str, Statistic]
    scores: Sequence[Score]
    by_row: FloatArray

    def score(self, metric: str) -> Score:
        return next(score for score in self.scores if score.metric == metric)


def score_answers(
    goal: GoalSheet,
    references: Sequence[str],
    answers: Sequence[Prediction],
    inputs: Sequence[str],
    *,
    resamples: int,
    seed: int,
) -> Scored:
    """Measure one candidate's answers to ``inputs``, in one order with ``references``."""
    texts = [answer.text for answer in answers]
    statistics = measure(
        goal.output, references, texts, labels=goal.labels, schema=goal.schema, rules=goal.rules, inputs=inputs
    )
    scores = [score(name, statistic, resamples=resamples, seed=seed) for name, statistic in statistics.items()]
    by_row = statistics[ROW_METRIC[goal.output]]
    assert isinstance(by_row, Mean)  # ROW_METRIC names means only
    return Scored(answers, statistics, scores, by_row.values)


def differences(scored: Mapping[str, Scored], rival: str = BASE, *, resamples: int, seed: int) -> list[Difference]:
    """Tuned minus its rival for each metric, and the same with the schema enforced where it was measured."""
    found = []
    for suffix in ("", ENFORCED):
        left, right = TUNED + suffix, rival + suffix
        if left not in scored or right not in scored:
            continue
        for metric, ours in scored[left].statistics.items():
            theirs = scored[right].statistics.get(metric)
            if theirs is not None and metric not in NOT_COMPARED:
                found.append(difference(metric, (left, ours), (right, theirs), resamples=resamples, seed=seed))
    return found
