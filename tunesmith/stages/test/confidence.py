"""Does the model's confidence mean what it says, and at which confidence should an answer go to a person?

For labels, and the values of JSON that a schema lists, which are right or wrong. A threshold that was chosen on some
rows looks too good on them, and rows of the validation part may have been trained on (`train.refit`): so it is chosen
on one half of the test rows and judged on the other, both ways.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from tunesmith.example import Score
from tunesmith.products import GoalSheet
from tunesmith.scoring.calibration import Bin, calibration_error, overconfidence, reliability, threshold_for
from tunesmith.scoring.intervals import score
from tunesmith.scoring.statistic import FloatArray, Mean
from tunesmith.stages.test.field_confidence import Choices, choices
from tunesmith.stages.test.scored import Scored
from tunesmith.stages.test.wording import interval, number, plural, points

#: Of fewer rows nothing is said.
FEWEST = 20


def calibration(
    goal: GoalSheet, references: Sequence[str], scored: Scored, *, resamples: int, seed: int
) -> dict[str, Any] | None:
    """The reliability diagram, the mean overconfidence, and the hand-off threshold for the goal's accuracy, in figures
    and words; None but for labels and JSON whose schema lists values, and of fewer than twenty rows.

    Of JSON it is about all choices together, and ``fields`` has the same for each field.
    """
    if len(scored.answers) < FEWEST:
        return None
    if goal.output == "json":
        return _of_json(choices(goal, references, scored), resamples, seed)
    if goal.output != "label":
        return None
    confidence = np.array([answer.confidence for answer in scored.answers])
    wanted = next((one.at_least for one in goal.success if one.metric == "accuracy"), None)
    return _calibrated(Choices("", confidence, scored.by_row, wanted), "answers", resamples, seed, setting=True)


def _of_json(chosen: Sequence[Choices], resamples: int, seed: int) -> dict[str, Any] | None:
    if not chosen:
        return None
    whole, *fields = chosen
    found = _calibrated(whole, "answers", resamples, seed, setting=True)
    told = {
        one.name: _calibrated(one, f"answers whose “{one.name}” is", resamples, seed)
        for one in fields
        if len(one.right) >= FEWEST
    }
    names = ", ".join(f"“{one.name}”" for one in fields)
    return {
        **found,
        "words": f"The choices that the schema lists ({names}), all together. {found['words']}",
        "fields": told,
    }


def _calibrated(one: Choices, what: str, resamples: int, seed: int, *, setting: bool = False) -> dict[str, Any]:
    """``what`` is handed off, in words; ``setting``: the threshold can be set (goal.confidence)."""
    bins = reliability(one.confidence, one.right)
    over = overconfidence(one.confidence, one.right, resamples=resamples, seed=seed)
    threshold = _threshold(one, what, seed, setting) if one.wanted is not None else None
    words = [_in_words(over, one.confidence, one.right), threshold["words"] if threshold else ""]
    return {
        "bins": [asdict(each) for each in bins],
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


def _threshold(one: Choices, what: str, seed: int, setting: bool) -> dict[str, Any]:
    """The confidence from which on answers reach the accuracy that is wanted, and what it does on other rows."""
    confidence, right, wanted = one.confidence, one.right, one.wanted or 0.0
    chosen = threshold_for(confidence, right, wanted)
    found = {"wanted": wanted, "confidence": chosen, "answered": None, "rows": len(right), "accuracy": None}
    if chosen == 0.0:
        return {**found, "words": ""}  # the goal is reached as it is
    asked = number("accuracy", wanted)
    if chosen is None:
        return {**found, "words": f"No confidence is high enough that {asked} of the answers above it are right."}
    answered = _answered_by_halves(confidence, right, wanted, seed)
    begun = f"To reach an accuracy of {asked}, hand {what} below a confidence of {chosen:.2f} to a person"
    if setting:
        begun += f" (goal.unknown: hand_off, goal.confidence: {chosen:.2f})"
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
