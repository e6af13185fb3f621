"""What each group of validation rows gained by the training: rows of one tag, label, field value or source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from tunesmith.example import Example
from tunesmith.learners.protocol import RowOutcome
from tunesmith.products import GoalSheet, GroupGain
from tunesmith.scoring.groups import members, told_apart
from tunesmith.scoring.intervals import interval_of_mean

#: Groups of fewer rows are told together: a mean of one or two rows says nothing about the group.
FEWEST = 3
RESAMPLES = 2000

Outcomes = Mapping[str, tuple[RowOutcome, RowOutcome]]


def group_gains(examples: Iterable[Example], outcomes: Outcomes, goal: GoalSheet, seed: int) -> list[GroupGain]:
    """The gain of every group with its n and interval, by kind; within a kind what gained least comes first.

    ``outcomes``: each validation row before training and at the kept step, by id. A kind whose rows
    are all in one group is left out.
    """
    found = []
    measured = (example for example in examples if example.id in outcomes)
    for kind, groups in members(measured, goal).items():
        apart = told_apart(groups, FEWEST)
        if len(apart) > 1:
            gains = [_gain(kind, name, [outcomes[id] for id in ids], seed) for name, ids in apart.items()]
            found += sorted(gains, key=lambda one: (one.is_rest, one.gain))
    return found


def _gain(kind: str, name: str, rows: list[tuple[RowOutcome, RowOutcome]], seed: int) -> GroupGain:
    figures = np.array(rows, dtype=np.float64)  # (rows, before or kept, loss or right)
    (loss_before, right_before), (loss, right) = figures.mean(0).tolist()
    gains = figures[:, 0, 0] - figures[:, 1, 0]
    interval = interval_of_mean(gains, resamples=RESAMPLES, seed=seed) if len(rows) >= FEWEST else None
    low, high = interval or (None, None)
    return GroupGain(kind, name, len(rows), loss_before, loss, low, high, right_before, right)
