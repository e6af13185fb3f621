"""Groups into parts by time: the test part is the latest, validation before it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from tunesmith.stages.split.rows import TRAIN, Flags, Ints, Rows


def assign_by_time(rows: Rows, group: Ints, free: Ints, shares: Collection[int], owed: Mapping[int, float]) -> Ints:
    """Choose the part of each group ``[groups]``, -1 where it is not among ``free``.

    A group counts as its latest row, so that nothing later than a part's first moment is trained before it. Groups
    of one time are never parted. ``owed``: how many rows each open part still wants.
    """
    chosen = np.full(int(group.max()) + 1, -1, np.int64)
    if not len(free):
        return chosen
    latest = np.full(len(chosen), np.iinfo(np.int64).min)
    np.maximum.at(latest, group, rows.time)
    sizes = np.bincount(group)
    moments, moment = np.unique(latest[free], return_inverse=True)
    rows_until = np.cumsum(np.bincount(moment, sizes[free]))  # rows up to and with each moment
    part_of_moment = np.full(len(moments), TRAIN, np.int64)
    end = len(moments)
    later_first = sorted((part for part in shares if part != TRAIN), reverse=True)
    for place, part in enumerate(later_first):
        left_for = len(later_first) - place  # the other parts before it, training too, want a moment each
        end_rows = rows_until[end - 1]
        start = _nearest_start(rows_until[:end], end_rows - max(owed[part], 0.0))
        start = min(max(start, left_for), end - 1)
        if owed[part] <= 0 or start < 1:
            continue
        part_of_moment[start:end] = part
        end = start
    chosen[free] = part_of_moment[moment]
    return chosen


def _nearest_start(rows_until: Ints, wanted: float) -> int:
    """The first moment of a part that leaves about ``wanted`` rows to those before it."""
    before = np.concatenate(([0], rows_until))
    return int(np.argmin(np.abs(before - wanted)))


def older_than_part(rows: Rows, part: Ints, number: int) -> Flags:
    """Rows of a part that came to it with a later row of their group ``[rows]``: older than a training row."""
    newest_trained = int(rows.time[part == TRAIN].max())
    older: Flags = (part == number) & (rows.time < newest_trained)
    return older
