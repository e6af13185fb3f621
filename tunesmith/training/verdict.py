"""What a training run's curves say, in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: Below this share of the first validation loss gained, nothing was learned.
LEARNED_AT_LEAST = 0.05
#: A rise of the validation loss above its best by more than this share counts as overfitting.
RISE = 0.03


@dataclass(frozen=True)
class Verdict:
    """``code``: learned, still_learning, overfitting or did_not_learn."""

    code: str
    words: str
    advice: str


def judge(curve: Sequence[Mapping[str, Any]], steps: int) -> Verdict:
    """Judge a curve of measurements with ``step`` and ``validation_loss`` (others are passed over)."""
    points = [(entry["step"], entry["validation_loss"]) for entry in curve if "validation_loss" in entry]
    first, last = points[0][1], points[-1][1]
    best_step, best = min(points, key=lambda point: (point[1], point[0]))
    gained = (first - best) / first if first > 0 else 0.0
    numbers = f"validation loss {first:.3f} before training, {best:.3f} at its best (step {best_step} of {steps})"
    if gained < LEARNED_AT_LEAST:
        return Verdict(
            "did_not_learn",
            f"The model did not learn: {numbers}.",
            "Look at the rows with `tunesmith format --show 3`: is the answer there, and does it follow from the "
            "input? Then try a larger train.learning_rate, or more examples.",
        )
    if last > best * (1 + RISE) and best_step < points[-1][0]:
        return Verdict(
            "overfitting",
            f"The model learned, and overfitted from step {best_step} on; the weights of that step are kept: {numbers}.",
            "More examples would help most; fewer train.epochs saves the time.",
        )
    if best_step == points[-1][0] and len(points) > 2 and (points[-2][1] - last) / first > 0.02:
        return Verdict(
            "still_learning",
            f"The model learned and was still learning when training ended: {numbers}.",
            "Try more train.epochs: `tunesmith run --set train.epochs=…`.",
        )
    return Verdict("learned", f"The model learned: {numbers}.", "")
