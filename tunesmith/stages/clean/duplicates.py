"""Step `duplicate`: rows with the same input and the same answer become one."""

from __future__ import annotations

import numpy as np

from tunesmith.stages.clean.marks import Ints, Marks


def merged_into(marks: Marks, answers: Ints) -> Ints:
    """For each row the row that stands for it, or -1 when it stands for itself ``[rows]``.

    ``answers [rows]`` numbers the pairs of input and answer. Of equal rows the first is kept, but a
    row of a given test (then validation) part goes before others, and a heavier before a lighter one.
    """
    rows = np.flatnonzero(marks.standing)
    order = rows[np.lexsort((rows, -marks.weight[rows], marks.part_rank[rows], answers[rows]))]
    first = np.concatenate(([True], answers[order[1:]] != answers[order[:-1]]))[: len(order)]
    into = np.full(len(answers), -1, np.int64)
    keepers = order[first][np.cumsum(first) - 1]
    into[order] = np.where(first, -1, keepers)
    return into
