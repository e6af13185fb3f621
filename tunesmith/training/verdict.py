"""What a training run's curves say, in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tunesmith.training.loop import standard_error

#: Below this share of the first validation loss gained, nothing was learned.
LEARNED_AT_LEAST = 0.05
#: A rise of the validation loss above its best by more than this share counts as overfitting.
RISE = 0.03
#: A fall of the loss in the last interval by more than this share of the first loss: still learning.
STILL = 0.02


@dataclass(frozen=True)
class Verdict:
    """``code``: learned, still_learning, overfitting or did_not_learn."""

    code: str
    words: str
    advice: str


def judge_loss(curve: Sequence[Mapping[str, Any]], steps: int) -> Verdict:
    """Judge a curve of measurements with ``step`` and ``validation_loss`` (others are passed over)."""
    points = [(entry["step"], entry["validation_loss"]) for entry in curve if "validation_loss" in entry]
    first, last = points[0][1], points[-1][1]
    best_step, best = min(points, key=lambda point: (point[1], point[0]))
    gained = (first - best) / first if first > 0 else 0.0
    numbers = f"validation loss {first:.3f} before training, {best:.3f} at its best (step {best_step} of {steps})"
    if gained < LEARNED_AT_LEAST:
        return did_not_learn(numbers)
    if last > best * (1 + RISE) and best_step < points[-1][0]:
        return overfitting(numbers, best_step)
    if best_step == points[-1][0] and len(points) > 2 and (points[-2][1] - last) / first > STILL:
        return still_learning(numbers)
    return Verdict("learned", f"The model learned: {numbers}.", "")


def judge_accuracy(curve: Sequence[Mapping[str, Any]], steps: int, best_step: int, n: float, guess: float) -> Verdict:
    """Judge a classifier's curve by ``validation_accuracy`` over n rows.

    ``guess`` is the share of the commonest label: what always giving that label would reach.
    Differences within one standard error are taken for chance.
    """
    points = [(entry["step"], entry["validation_accuracy"]) for entry in curve if "validation_accuracy" in entry]
    highest = max(value for _, value in points)
    kept = dict(points)[best_step]
    error = standard_error(highest, n)
    numbers = (
        f"{kept:.1%} of {n:g} validation rows right at step {best_step} of {steps}; "
        f"{points[0][1]:.1%} before the encoder was tuned, {guess:.1%} by always giving the commonest label"
    )
    if highest - error <= guess:
        return did_not_learn(numbers)
    if points[-1][1] < highest - 2 * error and best_step < points[-1][0]:
        return overfitting(numbers, best_step)
    if len(points) > 2 and points[-1][1] > points[-2][1] + error:
        return still_learning(numbers)
    if kept - error <= points[0][1]:
        return little_gained(numbers)
    return Verdict("learned", f"The model learned: {numbers}.", "")


def little_gained(numbers: str) -> Verdict:
    return Verdict(
        "little_gained",
        f"The model tells the labels apart, but these few validation rows do not show that tuning the encoder "
        f"brought more than the means of the labels' rows, from which it starts: {numbers}.",
        "Judge by the test; more examples would tell more.",
    )


def did_not_learn(numbers: str) -> Verdict:
    return Verdict(
        "did_not_learn",
        f"The model did not learn: {numbers}.",
        "Look at the rows with `tunesmith format --show 3`: is the answer there, and does it follow from the "
        "input? Then try a larger train.learning_rate, or more examples.",
    )


def overfitting(numbers: str, best_step: int) -> Verdict:
    return Verdict(
        "overfitting",
        f"The model learned, then overfitted after step {best_step}, whose weights are kept: {numbers}.",
        "More examples would help most; fewer train.epochs saves the time.",
    )


def still_learning(numbers: str) -> Verdict:
    return Verdict(
        "still_learning",
        f"The model learned and was still learning when training ended: {numbers}.",
        "Try more train.epochs: `tunesmith run --set train.epochs=…`.",
    )
