"""Rows whose part the user set, and what that means for rows near them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tunesmith.stages.split.rows import NOBODY, TEST, TRAIN, VALIDATION, Ints, Rows


def settle_given(rows: Rows, group: Ints) -> tuple[Ints, Ints]:
    """Place the rows of groups that hold a row with a given part. ``group [rows]`` numbers the groups.

    Returns the part of each row ``[rows]``, -1 where none is set yet, and the row that it is too like to
    be in any part ``[rows]``, or -1. A given test (or validation) row keeps near-equal rows out of the
    parts before it; beside a given training row the others train too.
    """
    part = np.full(len(group), NOBODY, np.int64)
    like = np.full(len(group), NOBODY, np.int64)
    for given in (TRAIN, VALIDATION, TEST):  # the later ones overrule
        first = _first_row_of_group(rows.given == given, group)
        touched = first[group] != NOBODY
        own = rows.given == given
        part[touched] = TRAIN if given == TRAIN else NOBODY
        part[own] = given
        like[touched] = NOBODY
        if given != TRAIN:
            beside = touched & (rows.given < given)
            like[beside] = first[group[beside]]
    return part, like


def _first_row_of_group(chosen: npt.NDArray[np.bool_], group: Ints) -> Ints:
    """The first chosen row of each group, or -1 ``[groups]``."""
    first = np.full(int(group.max()) + 1, NOBODY, np.int64)
    places = np.flatnonzero(chosen)[::-1]
    first[group[places]] = places  # the last write wins: the first row
    return first
