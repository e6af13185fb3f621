"""What the first pass remembers of each row: 60 bytes in numpy arrays, so that a million rows stay small."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from tunesmith.decisions import Decisions
from tunesmith.example import Example
from tunesmith.stages.clean.decided import DecidedSteps, codes_of
from tunesmith.stages.clean.row_steps import Checked

#: Which of two equal rows is kept: the one in the part that is hardest to replace.
PART_RANK: dict[str | None, int] = {"test": 0, "validation": 1, "train": 2, None: 2}

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Prints = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Marks:
    """One entry a row, in file order. ``given`` and ``answered`` are fingerprints ``[rows, 2]``.

    ``faulty`` rows have a fault of their own, ``broken`` ones no usable structure, ``fixed`` ones were
    mended, ``flagged`` ones have something to look at, ``decided`` ones the user decided on one by one. Of these and of
    those with a rule, ``wanted`` ones are kept whatever speaks against them, the fault of ``pardoned`` ones does not
    count, and ``unwanted`` ones are set aside.
    """

    given: Prints
    answered: Prints
    faulty: Bools
    broken: Bools
    fixed: Bools
    flagged: Bools
    decided: Bools
    wanted: Bools
    pardoned: Bools
    unwanted: Bools
    weight: npt.NDArray[np.float64]
    part_rank: npt.NDArray[np.int8]

    @classmethod
    def of(cls, examples: Iterable[Example], rows: int, steps: DecidedSteps) -> Marks:
        """Check each of the ``rows`` examples and note what the later steps need."""
        marks = cls._blank(rows)
        for row, example in enumerate(steps.prepared(examples)):
            checked = steps.check(example)
            fault = checked.fault
            marks.faulty[row] = fault is not None
            marks.broken[row] = fault is not None and fault.code == "structure"
            marks.fixed[row] = bool(checked.fixes)
            marks.flagged[row] = bool(checked.flags)
            marks._note_decision(row, example, checked, steps.decisions)
            marks.weight[row] = example.weight
            marks.part_rank[row] = PART_RANK[example.part]
            if not marks.broken[row]:
                given, answered = steps.fingerprints(checked)
                marks.given[row] = np.frombuffer(given, np.uint64)
                marks.answered[row] = np.frombuffer(answered, np.uint64)
        return marks

    @classmethod
    def joined(cls, parts: Sequence[Marks]) -> Marks:
        """The marks of rows that follow each other."""
        empty = cls._blank(0)
        columns = ([getattr(part, one.name) for part in (empty, *parts)] for one in fields(cls))
        return cls(*(np.concatenate(column) for column in columns))

    @classmethod
    def _blank(cls, rows: int) -> Marks:
        return cls(
            given=np.zeros((rows, 2), np.uint64),
            answered=np.zeros((rows, 2), np.uint64),
            faulty=np.zeros(rows, np.bool_),
            broken=np.zeros(rows, np.bool_),
            fixed=np.zeros(rows, np.bool_),
            flagged=np.zeros(rows, np.bool_),
            decided=np.zeros(rows, np.bool_),
            wanted=np.zeros(rows, np.bool_),
            pardoned=np.zeros(rows, np.bool_),
            unwanted=np.zeros(rows, np.bool_),
            weight=np.zeros(rows, np.float64),
            part_rank=np.zeros(rows, np.int8),
        )

    def _note_decision(self, row: int, example: Example, checked: Checked, decisions: Decisions) -> None:
        decision = decisions.rows.get(example.id)
        if decision is not None:
            self.decided[row] = True
            self.wanted[row] = decision.action == "keep"
            self.pardoned[row] = decision.action == "edit"
            self.unwanted[row] = decision.action == "drop"
        elif decisions.rules and (rule := decisions.rule(codes_of(checked))):
            code, action = rule
            self.unwanted[row] = action == "drop"
            self.pardoned[row] = action == "keep" and checked.fault is not None and checked.fault.code == code

    @property
    def standing(self) -> Bools:
        """The rows that the row-by-row steps leave in place."""
        return ~self.broken & (~self.faulty | self.wanted | self.pardoned)


def group_numbers(*prints: Prints) -> Ints:
    """Number rows ``[rows]`` so that two have the same number when all their fingerprints agree."""
    columns = [column for pair in prints for column in (pair[:, 0], pair[:, 1])]
    order = np.lexsort(columns)
    starts = np.zeros(len(order), np.int64)
    for column in columns:
        ordered = column[order]
        starts[1:] |= ordered[1:] != ordered[:-1]
    numbers = np.empty(len(order), np.int64)
    numbers[order] = np.cumsum(starts)
    return numbers
