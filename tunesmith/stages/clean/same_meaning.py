"""Step `same_meaning`: inputs that say the same in other words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tunesmith.similarity.neighbours import Neighbours
from tunesmith.stages.clean.kept_rows import KeptRows
from tunesmith.stages.clean.shorten import shorten

SAME, CONFLICT = "same_meaning", "meaning_conflict"


@dataclass(frozen=True)
class Alike:
    """A row and another that means nearly the same, both by their place among those looked at.

    ``differs``: the names of the targets in which their answers differ.
    """

    row: int
    other: int
    cosine: float
    differs: tuple[str, ...]

    @property
    def code(self) -> str:
        return CONFLICT if self.differs else SAME

    def evidence(self, rows: KeptRows, where: str) -> str:
        """What a person judges it by. ``where``: place and id of the other row."""
        said = f"means nearly the same as {shorten(rows.given[self.other])} ({where}; cosine {self.cosine:.2f})"
        if not self.differs:
            return said
        told = [_told(name, rows.targets[name][self.other]) for name in self.differs]
        return f"{said}, which has another answer: {', '.join(told)}"


def _told(name: str, value: str | None) -> str:
    quoted = shorten(value) if value is not None else "none"
    return f"{name} {quoted}" if name else quoted


def find(neighbours: Neighbours, targets: Mapping[str, Sequence[str | None]], least: float) -> list[Alike]:
    """For each row the nearest one at ``least`` or above: one with another answer, else an earlier one with the same.

    So a conflict is told at both rows, and the first of rows that agree stays unflagged. Prose is not compared.
    """
    found = []
    for row in np.flatnonzero((neighbours.cosine >= least).any(axis=1)).tolist():
        near = [int(other) for other in neighbours.index[row][neighbours.cosine[row] >= least]]
        apart = {
            other: tuple(name for name, values in targets.items() if values[row] != values[other]) for other in near
        }
        against = next((other for other in near if apart[other]), None)
        other = against if against is not None else next((other for other in near if other < row), None)
        if other is not None:
            found.append(Alike(row, other, float(neighbours.cosine[row][near.index(other)]), apart[other]))
    return found
