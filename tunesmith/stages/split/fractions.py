"""The asked fractions, as near as groups allow, and why not nearer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tunesmith.products import PARTS
from tunesmith.stages.split.rows import Ints

_MOST_MOVES = 1000


def wanted_rows(shares: dict[int, float], total: int) -> dict[int, int]:
    """Whole rows for each open part that add to ``total`` (largest remainder)."""
    wanted = {part: int(share * total) for part, share in shares.items()}
    by_remainder = sorted(shares, key=lambda part: (wanted[part] - shares[part] * total, part))
    for part in by_remainder[: total - sum(wanted.values())]:
        wanted[part] += 1
    return wanted


@dataclass
class Evening:
    """Groups that may be moved between parts. ``part``, ``size`` and ``label`` ``[groups]``; ``part`` is changed.

    ``missing`` is how many rows each open part lacks (below 0: has too many). No part loses its last group, nor
    the last one of a label.
    """

    part: Ints
    size: Ints
    label: Ints
    missing: dict[int, int]

    def run(self) -> None:
        """Move a group, or swap two, as long as that brings a part nearer to what it should have."""
        for _ in range(_MOST_MOVES):
            if not self._one():
                return

    def _one(self) -> bool:
        over = [part for part, rows in self.missing.items() if rows < 0]
        under = [part for part, rows in self.missing.items() if rows > 0]
        pairs = sorted(
            ((giver, taker) for giver in over for taker in under),
            key=lambda pair: -min(-self.missing[pair[0]], self.missing[pair[1]]),
        )
        for giver, taker in pairs:
            most = min(-self.missing[giver], self.missing[taker])
            if self._move(giver, taker, most) or self._swap(giver, taker, most):
                return True
        return False

    def _spare(self, part: int) -> Ints:
        """The groups that the part can give: not the last of a label, those of the most frequent label first."""
        here = np.flatnonzero(self.part == part)
        if not len(here):
            return here
        count = np.bincount(self.label[here])[self.label[here]]
        order = np.argsort(-count, kind="stable")
        return here[order][count[order] > 1]

    def _move(self, giver: int, taker: int, most: int) -> bool:
        spare = self._spare(giver)
        spare = spare[self.size[spare] <= most]
        if not len(spare):
            return False
        chosen = spare[np.argmax(self.size[spare])]
        self._shift(int(chosen), giver, taker)
        return True

    def _swap(self, giver: int, taker: int, most: int) -> bool:
        """Swap a group for a smaller one whose difference in size is the largest that is not above ``most``."""
        large, small = self._spare(giver), self._spare(taker)
        if not len(large) or not len(small):
            return False
        large_sizes, large_at = np.unique(self.size[large], return_index=True)
        small_sizes, small_at = np.unique(self.size[small], return_index=True)
        difference = large_sizes[:, None] - small_sizes[None, :]
        difference = np.where((difference > 0) & (difference <= most), difference, 0)
        if difference.max() == 0:
            return False
        one, other = np.unravel_index(int(np.argmax(difference)), difference.shape)
        self._shift(int(large[large_at[one]]), giver, taker)
        self._shift(int(small[small_at[other]]), taker, giver)
        return True

    def _shift(self, group: int, giver: int, taker: int) -> None:
        self.part[group] = taker
        self.missing[giver] += int(self.size[group])
        self.missing[taker] -= int(self.size[group])


def reasons(
    counts: list[int], wanted: dict[int, int], largest: int, kept: int, *, by_time: bool
) -> dict[str, dict[str, object]]:
    """For each part that has other than the wanted number of rows: how many it has and should have, and why."""
    told: dict[str, dict[str, object]] = {}
    for number, rows in wanted.items():
        if counts[number] == rows:
            continue
        if kept > wanted.get(len(PARTS) - 1, kept):
            why = f"{kept:,} rows that earlier rounds tested stay in the test part"
        elif largest > 1:
            why = f"the largest group has {largest:,} rows, and groups stay together"
        elif by_time:
            why = "rows of one time stay together"
        else:
            why = "every label should be in every part"
        told[PARTS[number]] = {"rows": counts[number], "wanted": rows, "why": why}
    return told
