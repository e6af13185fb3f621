"""What becomes of each row, and why, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from tunesmith.decisions import Decisions
from tunesmith.products import GoalSheet
from tunesmith.stages.clean.conflicts import Conflicts
from tunesmith.stages.clean.duplicates import merged_into
from tunesmith.stages.clean.json_layout import canonical, parse
from tunesmith.stages.clean.marks import Bools, Ints, Marks, group_numbers
from tunesmith.stages.clean.remark import Remark
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

    A row that the user wants kept is kept; ``into`` and ``conflicts`` still tell what spoke against it. ``dropped``
    ones are set aside by the user's decision alone. ``flags`` are what only a look at the whole set finds in kept
    rows, by row; ``mended`` the values that it puts in place of theirs; ``near`` how similar a row is to the one that
    it was merged into as nearly the same.
    """

    marks: Marks
    answers: Ints
    into: Ints
    conflicts: Conflicts
    kept: Bools
    merged: Bools
    set_aside: Bools
    dropped: Bools
    conflicts_stay: bool
    flags: Mapping[int, tuple[Remark, ...]] = field(default_factory=dict)
    mended: Mapping[int, Mended] = field(default_factory=dict)
    near: Mapping[int, float] = field(default_factory=dict)

    @cached_property
    def untouched(self) -> Bools:
        """Kept rows that the ledger need not mention."""
        marks = self.marks
        notable = marks.fixed | marks.flagged | marks.wanted | marks.pardoned | self.conflicts.rows | (self.into >= 0)
        notable[[*self.flags, *self.mended]] = True
        return self.kept & ~notable

    def with_flags(self, flags: Mapping[int, tuple[Remark, ...]], decisions: Decisions) -> Verdicts:
        """The same with what a look at the whole set found. A rule that drops a reason holds for flagged rows too."""
        ruled = {row: decisions.rule(flag.code for flag in found) for row, found in flags.items()}
        hit = [row for row, rule in ruled.items() if rule and rule[1] == "drop" and not self.marks.decided[row]]
        dropped = np.zeros(len(self.kept), np.bool_)
        dropped[hit] = self.kept[hit]
        return replace(
            self,
            flags=flags,
            kept=self.kept & ~dropped,
            set_aside=self.set_aside | dropped,
            dropped=self.dropped | dropped,
        )


def decide(marks: Marks, goal: GoalSheet, settings: CleanSettings, decisions: Decisions) -> Verdicts:
    """Merge duplicates, set aside what the user drops, then conflicts (for output text they are kept and flagged).

    A dropped row still stands for its duplicates, so that none of them comes up in its place.
    """
    inputs = group_numbers(marks.given)
    answers = group_numbers(marks.given, marks.answered)
    nobody = np.full(len(inputs), -1, np.int64)
    into = merged_into(marks, answers) if "duplicate" in settings.drop else nobody
    merged = (into >= 0) & ~marks.wanted & (decisions.rules.get("duplicate") != "keep")
    dropped = marks.unwanted & marks.standing & ~merged
    disputed = marks.standing & ~merged & ~dropped if "conflict" in settings.drop else np.zeros(len(inputs), np.bool_)
    conflicts = Conflicts.find(inputs, answers, disputed)
    rule = decisions.rules.get("conflict")
    stay = goal.output == "text"  # prose may well answer in two ways
    if stay and rule == "drop":
        dropped = dropped | (conflicts.rows & ~marks.decided)
    faulty = ~marks.standing | dropped
    if not stay and rule != "keep":
        faulty = faulty | (conflicts.rows & ~marks.wanted)
    return Verdicts(marks, answers, into, conflicts, ~merged & ~faulty, merged, faulty, dropped, stay)
