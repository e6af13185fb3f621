"""Which part each row goes to: what is given, what earlier rounds tested, and the rest by chance or by time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tunesmith.products import PARTS
from tunesmith.stages.split.by_time import assign_by_time
from tunesmith.stages.split.fractions import reasons, wanted_rows
from tunesmith.stages.split.given_parts import settle_given
from tunesmith.stages.split.rows import NOBODY, TEST, TRAIN, VALIDATION, Ints, Rows
from tunesmith.stages.split.settings import SplitSettings
from tunesmith.stages.split.strata import assign_free, free_groups, spread


@dataclass(frozen=True)
class Arranged:
    """``part`` of each row, -1 where it is in none; ``like``: the row that it is too like to be in any, or -1.

    ``lonely``: labels that only training has. ``why``: for each part that has another size than was asked, its rows,
    those wanted, and the reason.
    """

    part: Ints
    like: Ints
    lonely: list[str]
    why: dict[str, Any]

    @property
    def counts(self) -> list[int]:
        return [int((self.part == number).sum()) for number in range(len(PARTS))]


def arrange(rows: Rows, group: Ints, settings: SplitSettings, seed: int) -> Arranged:
    """Give each row its part. ``group [rows]`` numbers the groups that must not be torn apart."""
    shares = open_shares(rows, settings)
    part, like = settle_given(_with_tested(rows, group), group)
    part = _keep_tested(rows, group, part, like)
    settled = {number: int((part == number).sum()) for number in shares}
    lonely: list[str] = []
    if settings.by == "time":
        free = free_groups(group, part, like)
        total = sum(settled.values()) + int(np.bincount(group)[free].sum())
        owed = {number: wanted - settled[number] for number, wanted in wanted_rows(shares, total).items()}
        part = spread(assign_by_time(rows, group, free, shares, owed), group, part)
    else:
        part, lonely = assign_free(rows, group, part, like, shares, seed)
    counts = [int((part == number).sum()) for number in range(len(PARTS))]
    wanted = wanted_rows(shares, sum(counts[number] for number in shares))
    largest = int(np.bincount(group).max())
    why = reasons(counts, wanted, largest, settled.get(TEST, 0), by_time=settings.by == "time")
    return Arranged(part, like, lonely, why)


def open_shares(rows: Rows, settings: SplitSettings) -> dict[int, float]:
    """The fractions of the parts that are filled here: training, and what the user did not give."""
    asked = {TRAIN: settings.train, VALIDATION: settings.validation, TEST: settings.test}
    shares = {number: share for number, share in asked.items() if number == TRAIN or not rows.has_given(number)}
    return {number: share / sum(shares.values()) for number, share in shares.items()}


def _with_tested(rows: Rows, group: Ints) -> Rows:
    """Rows of earlier test parts count as given ones where their group holds a row of a given part."""
    has_given = np.zeros(int(group.max()) + 1, np.bool_)
    has_given[group[rows.given != NOBODY]] = True
    pinned = rows.tested & has_given[group]
    return replace(rows, given=np.where(pinned, TEST, rows.given))


def _keep_tested(rows: Rows, group: Ints, part: Ints, like: Ints) -> Ints:
    """Put the whole groups of rows of earlier test parts into the test part, where nothing is decided yet."""
    holds = np.zeros(int(group.max()) + 1, np.bool_)
    holds[group[rows.tested]] = True
    return np.where(holds[group] & (part == NOBODY) & (like == NOBODY), TEST, part)
