"""The rows of every source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunesmith.artifact import Artifact
from tunesmith.example import Example
from tunesmith.example_parquet import read_examples, read_rows


@dataclass(frozen=True)
class SetAsideRow:
    """A row of a source that could not become an example. ``raw`` is the row, whole."""

    uri: str
    row: int
    code: str
    evidence: str
    raw: str


@dataclass(frozen=True)
class Collection:
    """Every row of every source: an example, or set aside with its place and reason.

    ``sources`` has one mapping a file: path, shape, mapping, rows, examples, set_aside, sha256.
    """

    path: Path
    sources: tuple[dict[str, Any], ...]
    counts: dict[str, Any]

    @classmethod
    def open(cls, artifact: Artifact) -> Collection:
        return cls(artifact.path, tuple(artifact.read_json("sources.json")), dict(artifact.counts))

    def examples(self) -> Iterator[Example]:
        return read_examples(self.path / "examples.parquet")

    def set_aside(self) -> Iterator[SetAsideRow]:
        for row in read_rows(self.path / "set_aside.parquet"):
            yield SetAsideRow(**row)
