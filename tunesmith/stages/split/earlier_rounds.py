"""Rows that were tested in an earlier round: they stay in the test part when the data changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from tunesmith.example import Example
from tunesmith.example_parquet import RowWriter, read_rows
from tunesmith.products import TESTED
from tunesmith.similarity.normal_form import bare, fingerprint

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

    def holds(self, example: Example) -> bool:
        return example.id in self.inputs_by_id or (bool(self.inputs) and _input_hash(example) in self.inputs)

    def write(self, folder: Path, now: Iterable[Example]) -> None:
        """Record these rows together with those that are tested ``now``, also such as have left the data."""
        merged = {**self.inputs_by_id, **{example.id: _input_hash(example) for example in now}}
        with RowWriter(folder / TESTED, _COLUMNS) as writer:
            for id in sorted(merged):
                writer.write({"id": id, "input": merged[id]})


def _input_hash(example: Example) -> str:
    return fingerprint(bare(example.input)).hex()
