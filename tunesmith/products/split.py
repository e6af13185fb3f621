"""Which example is in which part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tunesmith.artifact import Artifact, read_json
from tunesmith.errors import TestPartLocked
from tunesmith.example_parquet import read_rows

Part = Literal["train", "validation", "test"]
#: Files of a split: what no part leaks to another, and what any round so far has tested.
CERTIFICATE, TESTED = "certificate.json", "tested.parquet"
PARTS: tuple[Part, ...] = ("train", "validation", "test")


@dataclass(frozen=True)
class LeftOut:
    """A row in no part, why, and the row that it is too like: ``where`` and ``like_where`` are their places."""

    id: str
    reason: str
    like: str
    similarity: float
    where: str
    like_where: str


@dataclass(frozen=True)
class Splits:
    """Which example is in which part: ids, not copies.

    ``readable`` are the parts that the holder may read. What trains is given train and validation
    alone; asking for another part raises TestPartLocked.
    """

    path: Path
    facts: dict[str, Any]
    counts: dict[str, Any]
    readable: tuple[Part, ...] = ("train", "validation")
    holder: str = "train"

    @classmethod
    def open(cls, artifact: Artifact, *, holder: str, readable: tuple[Part, ...]) -> Splits:
        return cls(artifact.path, artifact.read_json("split.json"), dict(artifact.counts), readable, holder)

    def ids(self, part: Part) -> list[str]:
        """The ids of a part, in a fixed order."""
        if part not in self.readable:
            raise TestPartLocked(self.holder)
        return [row["id"] for row in read_rows(self.path / f"{part}.parquet")]

    def certificate(self) -> dict[str, Any] | None:
        """The leak certificate; pairs with a row of a part that the holder may not read are left out of it."""
        if not (self.path / CERTIFICATE).exists():
            return None
        data: dict[str, Any] = read_json(self.path / CERTIFICATE)
        data["highest"] = [pair for pair in data["highest"] if all(part in self.readable for part in pair["parts"])]
        return data

    def left_out(self) -> Iterator[LeftOut]:
        """The rows that are in no part, since they are too like a row of a part that the user gave."""
        for row in read_rows(self.path / "left_out.parquet"):
            yield LeftOut(**row)

    @property
    def test_sha256(self) -> str:
        """The lock: a hash over the ids and contents of the test part."""
        return str(self.facts["test_sha256"])
