"""The leak certificate: no near copies across parts, the nearest pairs, and what a random split would have leaked."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import numpy as np

from tunesmith.products import PARTS
from tunesmith.similarity.across import Across, Pair
from tunesmith.similarity.any_order import AnyOrderSets
from tunesmith.stages.split.rows import NOBODY, TEST, TRAIN, VALIDATION, Flags, Ints, Rows
from tunesmith.stages.split.settings import SplitSettings

#: Which parts are held against each other.
BORDERS = ((TRAIN, TEST), (TRAIN, VALIDATION), (VALIDATION, TEST))
HIGHEST = 10
DRAWS = 5
#: In groups up to this size each pair is compared; in a larger one any two rows count as near copies.
_SMALL = 64


@dataclass(frozen=True)
class Borders:
    """What was found across each pair of parts, in the order of `BORDERS`."""

    found: tuple[Across, ...]

    @classmethod
    def of(cls, sets: AnyOrderSets, part: Ints, limit: float) -> Borders:
        """Hold every part against every other one."""
        at = [np.flatnonzero(part == number) for number in range(len(PARTS))]
        return cls(tuple(sets.across(at[one], at[other], limit, HIGHEST) for one, other in BORDERS))

    @property
    def leaks(self) -> list[Pair]:
        return [pair for across in self.found for pair in across.above]

    def highest(self) -> list[tuple[Pair, tuple[int, int]]]:
        """The most similar pairs, those of training and test first, each with its two parts."""
        return [(pair, border) for across, border in zip(self.found, BORDERS, strict=True) for pair in across.highest]


def certificate(
    borders: Borders, rows: Rows, part: Ints, settings: SplitSettings, places: dict[str, str], random_split: Any
) -> dict[str, Any]:
    """The certificate as data, without its locks. ``places`` are those of the rows in the highest pairs, by id."""
    named = [(pair, [PARTS[number] for number in border]) for pair, border in borders.highest()]
    return {
        "limit": settings.near,
        "every_pair_compared": all(across.exact for across in borders.found),
        "leaks": {
            f"{PARTS[one]}_{PARTS[other]}": len(across.above)
            for across, (one, other) in zip(borders.found, BORDERS, strict=True)
        },
        "highest": [
            {
                "similarity": round(pair.similarity, 4),
                "parts": parts,
                "ids": [rows.ids[pair.left], rows.ids[pair.right]],
                "where": [places[rows.ids[pair.left]], places[rows.ids[pair.right]]],
            }
            for pair, parts in named
        ],
        "group": settings.group,
        "groups_straddling": straddling(rows.key, part) if settings.group is not None else 0,
        "random_split": random_split,
    }


def straddling(key: Ints, part: Ints) -> int:
    """Number of keys (-1: none) whose rows stand in more than one part."""
    placed = (key != NOBODY) & (part != NOBODY)
    pairs = np.unique(np.stack((key[placed], part[placed]), axis=1), axis=0)
    return int((np.bincount(pairs[:, 0]) > 1).sum()) if len(pairs) else 0


def random_split(sets: AnyOrderSets, near: Ints, key: Ints, settings: SplitSettings, seed: int) -> dict[str, float]:
    """What plain random splits in the same fractions would have leaked: means over `DRAWS` draws.

    ``test`` and ``validation``: their rows with a near copy in training, of ``test_rows`` and ``validation_rows``;
    ``test_by_group``: test rows with another row of their key (-1: none) in training.
    """
    left, right, large = near_pairs(sets, near, settings.near)
    totals = {"test": 0, "validation": 0, "test_by_group": 0}
    for draw in range(DRAWS):
        part = _drawn(len(near), settings, f"random {seed} {draw}")
        has_copy = _with_copy_in_training(part, near, left, right, large)
        totals["test"] += int((has_copy & (part == TEST)).sum())
        totals["validation"] += int((has_copy & (part == VALIDATION)).sum())
        known = np.zeros(int(key.max()) + 2, np.bool_)
        known[key[(part == TRAIN) & (key != NOBODY)]] = True
        totals["test_by_group"] += int(known[key[(part == TEST) & (key != NOBODY)]].sum())
    sizes = np.bincount(_drawn(len(near), settings, ""), minlength=len(PARTS))
    means = {name: total / DRAWS for name, total in totals.items()}
    return {"draws": DRAWS, **means, "test_rows": int(sizes[TEST]), "validation_rows": int(sizes[VALIDATION])}


def near_pairs(sets: AnyOrderSets, near: Ints, limit: float) -> tuple[Ints, Ints, Flags]:
    """All pairs of rows within small groups that reach the limit, ``left, right``; and which groups are large."""
    sizes = np.bincount(near)
    small = (sizes > 1) & (sizes <= _SMALL)
    order = np.argsort(near, kind="stable")
    order = order[small[near[order]]]
    group = near[order]
    lefts, rights = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for distance in range(1, _SMALL):
        together = np.flatnonzero(group[distance:] == group[:-distance])
        if not len(together):
            break
        left, right = order[together], order[together + distance]
        close = sets.jaccard(left, right) >= limit
        lefts.append(left[close])
        rights.append(right[close])
    return np.concatenate(lefts), np.concatenate(rights), sizes > _SMALL


def _drawn(rows: int, settings: SplitSettings, seed: str) -> Ints:
    order = list(range(rows))
    random.Random(seed).shuffle(order)
    tested, validated = round(settings.test * rows), round(settings.validation * rows)
    part = np.full(rows, TRAIN, np.int64)
    part[order[:tested]] = TEST
    part[order[tested : tested + validated]] = VALIDATION
    return part


def _with_copy_in_training(part: Ints, near: Ints, left: Ints, right: Ints, large: Flags) -> Flags:
    found = np.zeros(len(part), np.bool_)
    found[left[part[right] == TRAIN]] = True
    found[right[part[left] == TRAIN]] = True
    trained = np.zeros(len(large), np.bool_)
    trained[near[part == TRAIN]] = True
    return found | (trained & large)[near]
