"""Groups into parts: each label gets its shares, no group is torn."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np

from tunesmith.stages.split.fractions import Evening, wanted_rows
from tunesmith.stages.split.rows import NOBODY, TRAIN, Ints, Rows


@dataclass(frozen=True)
class Stratum:
    """The groups that count for one label: their numbers and sizes in rows, the largest first."""

    label: int
    groups: list[int]
    sizes: list[int]


def strata_of(rows: Rows, group: Ints, free: Ints, rng: random.Random) -> list[Stratum]:
    """Sort the ``free`` groups by label, shuffled and then the largest first; labels with few rows come first.

    A group of several labels counts for the one that has the fewest groups, so that it is not lost to training.
    """
    pairs = np.unique(group * len(rows.labels) + rows.stratum)
    owners, labels = np.divmod(pairs, len(rows.labels))
    spread = np.bincount(labels, minlength=len(rows.labels))
    order = np.lexsort((labels, spread[labels], owners))
    label_of_group = labels[order][np.concatenate(([True], owners[order][1:] != owners[order][:-1]))]
    sizes = np.bincount(group)
    members: dict[int, list[int]] = {}
    shuffled = free.tolist()
    rng.shuffle(shuffled)
    for number in shuffled:
        members.setdefault(int(label_of_group[number]), []).append(number)
    strata = []
    for label, numbers in members.items():
        numbers.sort(key=lambda number: -int(sizes[number]))
        strata.append(Stratum(label, numbers, [int(sizes[number]) for number in numbers]))
    return sorted(strata, key=lambda stratum: (sum(stratum.sizes), stratum.label))


def share_out(stratum: Stratum, shares: dict[int, float], owed: dict[int, float], served: set[int]) -> list[int]:
    """Choose a part for each group of a stratum by the largest remainder.

    ``shares`` are the fractions of the open parts; ``owed`` are rows that earlier strata left each part short
    of (changed in place). Parts in ``served`` have this label already. Every other part gets a group when
    there are as many groups as such parts; the training part comes first.
    """
    total = sum(stratum.sizes)
    for part, share in shares.items():
        owed[part] += share * total
    chosen = []
    for size in stratum.sizes:
        part = max(owed, key=lambda part: owed[part])
        owed[part] -= size
        chosen.append(part)
    missing = [part for part in shares if part not in served and part not in chosen]
    for part in missing:
        _give_one(part, chosen, stratum, owed, served)
    return chosen


def _give_one(part: int, chosen: list[int], stratum: Stratum, owed: dict[int, float], served: set[int]) -> None:
    """Move the smallest group of the part that can best spare one, if any can."""
    counts = {other: chosen.count(other) for other in set(chosen)}
    givers = [other for other in sorted(counts) if counts[other] > 1 or other in served]
    if not givers and part == TRAIN:  # what is measured must have been trained on
        givers = sorted(counts)
    if not givers:
        return
    giver = min(givers, key=lambda other: owed[other])
    place = max(place for place, other in enumerate(chosen) if other == giver)  # the smallest come last
    chosen[place] = part
    owed[giver] += stratum.sizes[place]
    owed[part] -= stratum.sizes[place]


def assign_free(
    rows: Rows, group: Ints, part: Ints, like: Ints, shares: dict[int, float], seed: int
) -> tuple[Ints, list[str]]:
    """Place the groups that are not decided yet, by ``shares`` of the open parts.

    Returns the part of each row ``[rows]``, -1 where it is left out, and the labels that only training has.
    """
    free = free_groups(group, part, like)
    settled = {number: int((part == number).sum()) for number in shares}
    owed = {number: share * sum(settled.values()) - settled[number] for number, share in shares.items()}
    has_label = {number: set(rows.stratum[part == number].tolist()) for number in shares}
    part_of_group = np.full(int(group.max()) + 1, NOBODY, np.int64)
    label_of_group = np.full(len(part_of_group), NOBODY, np.int64)
    lonely = []
    for stratum in strata_of(rows, group, free, random.Random(f"split {seed}")):
        served = {number for number in shares if stratum.label in has_label[number]}
        part_of_group[stratum.groups] = share_out(stratum, shares, owed, served)
        label_of_group[stratum.groups] = stratum.label
        if len(stratum.groups) == 1 and not served and len(shares) > 1:
            lonely.append(rows.labels[stratum.label])
    sizes = np.bincount(group)
    total = sum(settled.values()) + int(sizes[free].sum())
    placed = {number: settled[number] + int(sizes[free][part_of_group[free] == number].sum()) for number in shares}
    missing = {number: wanted - placed[number] for number, wanted in wanted_rows(shares, total).items()}
    evening = Evening(part_of_group[free], sizes[free], label_of_group[free], missing)
    evening.run()
    part_of_group[free] = evening.part
    return spread(part_of_group, group, part), lonely


def free_groups(group: Ints, part: Ints, like: Ints) -> Ints:
    """The groups in which no row has a part yet, or is left out for one."""
    decided = np.zeros(int(group.max()) + 1, np.bool_)
    decided[group[(part != NOBODY) | (like != NOBODY)]] = True
    return np.flatnonzero(~decided)


def spread(part_of_group: Ints, group: Ints, part: Ints) -> Ints:
    """The part of each row ``[rows]``: its group's, and else the one it has."""
    return np.where(part_of_group[group] != NOBODY, part_of_group[group], part)
