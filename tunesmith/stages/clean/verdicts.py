"""What becomes of each row, and why, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from tunesmith.products import GoalSheet
from tunesmith.stages.clean.conflicts import Conflicts
from tunesmith.stages.clean.duplicates import merged_into
from tunesmith.stages.clean.json_layout import canonical, parse
from tunesmith.stages.clean.marks import Bools, Ints, Marks, group_numbers
from tunesmith.stages.clean.row_steps import Remark
from tunesmith.stages.clean.settings import CleanSettings


@dataclass(frozen=True)
class Mended:
    """Other values for a row's label (its name is empty) or fields, and what was wrong with its own."""

    values: Mapping[str, str]
    fixes: tuple[Remark, ...]
    schema: Mapping[str, Any] | None = None

    def answer(self, answer: str) -> str:
        """The row's answer with these values in it."""
        if "" in self.values:
            return self.values[""]
        return canonical({**parse(answer), **self.values}, self.schema)


@dataclass(frozen=True)
class Verdicts:
    """What becomes of each row ``[rows]``: kept, merged ``into`` another row, or set aside.

    A row that the user wants kept is kept; ``into`` and ``conflicts`` still tell what spoke against it.
    ``flags`` are what only a look at the whole set finds in kept rows, by row; ``mended`` the values that it
    puts in place of theirs; ``near`` how similar a row is to the one that it was merged into as nearly the same.
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
    mended: Mapping[int, Mended] = field(default_factory=dict)
    near: Mapping[int, float] = field(default_factory=dict)

    @cached_property
    def untouched(self) -> Bools:
        """Kept rows that the ledger need not mention."""
        marks = self.marks
        notable = marks.fixed | marks.flagged | marks.wanted | self.conflicts.rows
        notable[[*self.flags, *self.mended]] = True
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
