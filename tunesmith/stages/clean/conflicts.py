"""Step `conflict`: the same input with different answers teaches nothing, or both at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tunesmith.example_parquet import example_from_row, read_rows
from tunesmith.stages.clean.marks import Bools, Ints
from tunesmith.stages.clean.row_steps import RowSteps
from tunesmith.stages.clean.shorten import listed, shorten

SHOWN = 3
#: Answers quoted in the ledger are held in memory: at most these many, some 20 MB.
QUOTED = 50_000


@dataclass(frozen=True)
class Conflicts:
    """``group`` numbers the rows in conflict by their input, -1 for the others ``[rows]``.

    ``speakers [groups, SHOWN + 1]`` are the first rows with different answers, -1 where there are no more;
    ``sides [groups]`` counts the different answers.
    """

    group: Ints
    speakers: Ints
    sides: Ints

    @classmethod
    def find(cls, inputs: Ints, answers: Ints, standing: Bools) -> Conflicts:
        """Find inputs with several answers among the rows that stand. ``inputs`` and ``answers`` number them."""
        rows = np.flatnonzero(standing)
        order = rows[np.lexsort((rows, answers[rows], inputs[rows]))]
        first = np.concatenate(([True], answers[order[1:]] != answers[order[:-1]]))[: len(order)]
        speakers = order[first]  # the first row of each answer, by input
        speakers = speakers[np.lexsort((speakers, inputs[speakers]))]
        numbers, starts, sides = np.unique(inputs[speakers], return_index=True, return_counts=True)
        disputed = sides > 1
        group = np.full(len(inputs), -1, np.int64)
        places = np.searchsorted(numbers[disputed], inputs[rows])
        hit = np.append(numbers[disputed], -1)[places] == inputs[rows]
        group[rows[hit]] = places[hit]
        table = np.full((int(disputed.sum()), SHOWN + 1), -1, np.int64)
        for column in range(SHOWN + 1):
            there = sides[disputed] > column
            table[there, column] = speakers[starts[disputed][there] + column]
        return cls(group, table, sides[disputed])

    @property
    def rows(self) -> Bools:
        return self.group >= 0

    def quoted_rows(self) -> set[int]:
        """The rows whose answers are worth quoting, the first ones of the file."""
        speakers = np.sort(self.speakers[self.speakers >= 0])
        return set(speakers[:QUOTED].tolist())

    def evidence(self, row: int, answers: Ints, quotes: dict[int, str], name: Callable[[int], str]) -> str:
        """Say which other answers the row's input has, and where."""
        group = self.group[row]
        others = [int(other) for other in self.speakers[group] if other >= 0 and answers[other] != answers[row]]
        told = [f"{quotes[other]} ({name(other)})" if other in quotes else name(other) for other in others]
        hidden = int(self.sides[group]) - 1 - len(others)
        return "the same input has another answer: " + listed(told, SHOWN, hidden)


def quotes(source: Path, rows: set[int], steps: RowSteps) -> dict[int, str]:
    """The answers of these rows of the file, mended and shortened."""
    if not rows:
        return {}
    chosen = (example_from_row(values) for row, values in enumerate(read_rows(source)) if row in rows)
    answers = (steps.check(example).example.answer or "" for example in steps.prepared(chosen))
    return {row: shorten(answer) for row, answer in zip(sorted(rows), answers, strict=True)}
