"""Rows that were tested in an earlier round: they stay in the test part when the data changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tunesmith.example_parquet import RowWriter, read_rows
from tunesmith.products import TESTED

#: The fingerprints of the inputs in their bare form ``[rows, 2]``.
Prints = npt.NDArray[np.uint64]

_COLUMNS = pa.schema([("id", pa.string()), ("input", pa.string())])


@dataclass(frozen=True)
class Tested:
    """Every row that any round so far has tested, by its id and by a hash of its input.

    The id changes when lines move in the file, the input when cleaning mends it: either is enough.
    """

    inputs_by_id: dict[str, str] = field(default_factory=dict)
    inputs: frozenset[str] = frozenset()

    @classmethod
    def read(cls, split: Path | None) -> Tested:
        """What the split of an earlier round recorded in its folder; nothing without one."""
        if split is None:
            return cls()
        known = {row["id"]: row["input"] for row in read_rows(split / TESTED)}
        return cls(known, frozenset(known.values()))

    def among(self, ids: Sequence[str], prints: Prints) -> npt.NDArray[np.bool_]:
        """Which of these rows an earlier round tested ``[rows]``. ``prints [rows, 2]`` are those of their inputs."""
        if not self.inputs:
            return np.zeros(len(ids), np.bool_)
        found = (
            id in self.inputs_by_id or one.tobytes().hex() in self.inputs for id, one in zip(ids, prints, strict=True)
        )
        return np.fromiter(found, np.bool_, len(ids))

    def write(self, folder: Path, ids: Sequence[str], prints: Prints) -> None:
        """Record these rows, tested now, together with those of earlier rounds, also such as have left the data."""
        now = {id: one.tobytes().hex() for id, one in zip(ids, prints, strict=True)}
        merged = {**self.inputs_by_id, **now}
        with RowWriter(folder / TESTED, _COLUMNS) as writer:
            for id in sorted(merged):
                writer.write({"id": id, "input": merged[id]})
