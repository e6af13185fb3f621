"""Does the model's confidence mean what it says, and at which confidence should an answer go to a person?

For labels, whose answers are right or wrong. A threshold that was chosen on some rows looks too good on them, and rows
of the validation part may have been trained on (`train.refit`): so it is chosen on one half of the test rows and
judged on the other, both ways.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from tunesmith.example import Score
from tunesmith.learners.protocol import Prediction
from tunesmith.products import GoalSheet
from tunesmith.scoring.calibration import Bin, calibration_error, overconfidence, reliability, threshold_for
from tunesmith.scoring.intervals import score
from tunesmith.scoring.statistic import FloatArray, Mean
from tunesmith.stages.test.wording import interval, number, plural, points

#: Of fewer rows nothing is said.
FEWEST = 20


def calibration(
    goal: GoalSheet, answers: Sequence[Prediction], right: FloatArray, *, resamples: int, seed: int
) -> dict[str, Any] | None:
    """The reliability diagram, the mean overconfidence, and the hand-off threshold for the goal's accuracy, in figures
    and words; None but for labels, and of fewer than twenty rows. ``right``: zeros and ones [rows]."""
    if goal.output != "label" or len(answers) < FEWEST:
        return None
    confidence = np.array([answer.confidence for answer in answers])
    bins = reliability(confidence, right)
    over = overconfidence(confidence, right, resamples=resamples, seed=seed)
    wanted = next((one.at_least for one in goal.success if one.metric == "accuracy"), None)
    threshold = _threshold(confidence, right, wanted, seed) if wanted is not None else None
    words = [_in_words(over, confidence, right), threshold["words"] if threshold else ""]
    return {
        "bins": [asdict(one) for one in bins],
        "calibration_error": calibration_error(bins),
        "overconfidence": asdict(over),
        "threshold": threshold,
        "words": " ".join(filter(None, words)),
    }


def bins_of(facts: dict[str, Any] | None) -> list[Bin]:
    return [Bin(**one) for one in facts["bins"]] if facts else []


def _in_words(over: Score, confidence: FloatArray, right: FloatArray) -> str:
    figures = (
        f"{number('', float(confidence.mean()))} on average where {number('', float(right.mean()))} are right "
        f"(a difference of {points(over.value)} points, 95% interval {points(over.low)} to {points(over.high)}, "
        f"n = {over.n:,})"
    )
    if over.low > 0:
        return f"The model is surer than it should be: its confidence is {figures}."
    if over.high < 0:
        return f"The model is less sure than it could be: its confidence is {figures}."
    return f"The model's confidence is not shown to be off: {figures}."


def _threshold(confidence: FloatArray, right: FloatArray, wanted: float, seed: int) -> dict[str, Any]:
    """The confidence from which on answers reach the accuracy ``wanted``, and what it does on other rows."""
    chosen = threshold_for(confidence, right, wanted)
    found = {"wanted": wanted, "confidence": chosen, "answered": None, "rows": len(right), "accuracy": None}
    if chosen == 0.0:
        return {**found, "words": ""}  # the goal is reached as it is
    asked = number("accuracy", wanted)
    if chosen is None:
        return {**found, "words": f"No confidence is high enough that {asked} of the answers above it are right."}
    answered = _answered_by_halves(confidence, right, wanted, seed)
    begun = (
        f"To reach an accuracy of {asked}, hand answers below a confidence of {chosen:.2f} to a person "
        f"(goal.unknown: hand_off, goal.confidence: {chosen:.2f})"
    )
    if not answered.any():
        words = f"{begun}; chosen on one half of the rows, no answer of the other half is that sure."
        return {**found, "answered": 0, "words": words}
    accuracy = score("accuracy", Mean(right[answered]))
    count = int(answered.sum())
    words = (
        f"{begun}. Chosen on one half of the rows and judged on the other, that leaves {count:,} of "
        f"{plural(len(right), 'row')} to the model, of which {number('accuracy', accuracy.value)} are right "
        f"(95% interval {interval(accuracy)})."
    )
    return {**found, "answered": count, "accuracy": asdict(accuracy), "words": words}


def _answered_by_halves(confidence: FloatArray, right: FloatArray, wanted: float, seed: int) -> Any:
    """Which rows the model answers when the threshold for each half is chosen on the other: bool [rows]."""
    order = np.random.default_rng(seed).permutation(len(right))
    halves = order[: len(order) // 2], order[len(order) // 2 :]
    answered = np.zeros(len(right), np.bool_)
    for own, other in (halves, halves[::-1]):
        threshold = threshold_for(confidence[other], right[other], wanted)
        if threshold is not None:
            answered[own] = confidence[own] >= threshold
    return answered
