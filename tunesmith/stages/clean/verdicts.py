"""What becomes of each row, and why, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from tunesmith.products import GoalSheet
from tunesmith.stages.clean.conflicts import Conflicts
from tunesmith.stages.clean.duplicates import merged_into
from tunesmith.stages.clean.marks import Bools, Ints, Marks, group_numbers
from tunesmith.stages.clean.remark import Remark
from tunesmith.stages.clean.settings import CleanSettings


@dataclass(frozen=True)
class Verdicts:
    """What becomes of each row ``[rows]``: kept, merged ``into`` another row, or set aside.

    A row that the user wants kept is kept; ``into`` and ``conflicts`` still tell what spoke against it.
    ``flags`` are what only a look at the whole set finds in kept rows, by row.
    """

    marks: Marks
    answers: Ints
    into: Ints
    conflicts: Conflicts
    kept: Bools
    merged: Bools
    set_aside: Bools
    conflicts_stay: bool
    flags: Mapping[int, tuple[Remark, ...]] = field(default_factory=dict)

    @cached_property
    def untouched(self) -> Bools:
        """Kept rows that the ledger need not mention."""
        marks = self.marks
        notable = marks.fixed | marks.flagged | marks.wanted | self.conflicts.rows
        notable[list(self.flags)] = True
        return self.kept & ~notable


def decide(marks: Marks, goal: GoalSheet, settings: CleanSettings) -> Verdicts:
    """Merge duplicates, then set conflicts aside (for output text they are kept and flagged)."""
    inputs = group_numbers(marks.given)
    answers = group_numbers(marks.given, marks.answered)
    nobody = np.full(len(inputs), -1, np.int64)
    into = merged_into(marks, answers) if "duplicate" in settings.drop else nobody
    merged = (into >= 0) & ~marks.wanted
    disputed = marks.standing & ~merged if "conflict" in settings.drop else np.zeros(len(inputs), np.bool_)
    conflicts = Conflicts.find(inputs, answers, disputed)
    faulty = ~marks.standing
    if goal.output != "text":  # prose may well answer in two ways
        faulty = faulty | (conflicts.rows & ~marks.wanted)
    return Verdicts(marks, answers, into, conflicts, ~merged & ~faulty, merged, faulty, goal.output == "text")
