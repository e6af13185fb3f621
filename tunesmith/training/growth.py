"""More passes when the evidence asks for them: what `train.epochs: auto` does at the planned end.

The learning rate falls linearly to nothing over the planned steps, so the last of them bring a gain of
their own, and a run that had enough passes still ends better than it was shortly before. Evidence for
more is therefore a gain that is clear, beyond twice its standard error over the validation rows, and that
is not small beside all that training gained. A run that grows goes on with the learning rate that its
longer plan has at this step; from then on two ends are compared, each after a full fall.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

#: A plan grows by this share of the first one at a time, and to this many times the first one at most.
SHARE_ADDED, MOST = 0.5, 3
#: The gain of the first plan is taken from the last validation before this share of it.
LOOKED_FROM = 2 / 3
#: A gain is clear from so many standard errors on, and not small from this share of what was gained in all.
ERRORS, SHARE_GAINED = 2.0, 0.05


@dataclass(frozen=True)
class Gain:
    """What the last part of a plan brought on the validation rows: the mean, its standard error, and the gain since
    before training."""

    value: float
    error: float
    whole: float

    @property
    def is_clear(self) -> bool:
        return self.value > ERRORS * self.error and self.value >= SHARE_GAINED * self.whole


def gain(before: Tensor, earlier: Tensor, last: Tensor, criterion: Literal["loss", "accuracy"]) -> Gain:
    """Compare validations row by row: float32 [rows, 2], the mean loss a target and the share that is right."""
    column, sign = (0, -1.0) if criterion == "loss" else (1, 1.0)
    each = sign * (last - earlier)[:, column].double()
    error = each.std().item() / math.sqrt(len(each)) if len(each) > 1 else math.inf
    return Gain(each.mean().item(), error, sign * (last - before)[:, column].double().mean().item())


def longer(steps: int, first: int) -> int:
    """The next plan, in steps; the same one when it has grown to its most. ``first``: the steps of the first plan."""
    return min(steps + math.ceil(SHARE_ADDED * first), MOST * first)
