"""What the model will see, token by token."""

from __future__ import annotations

from collections.abc import Collection as Ids
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tunesmith.artifact import Artifact
from tunesmith.example_parquet import read_rows
from tunesmith.products.clean import LedgerLine


@dataclass(frozen=True, slots=True)
class EncodedRow:
    """One row as the model sees it.

    ``tokens``: int ids, ``[length]``. ``trained``: one bool a token, True where the loss looks
    (causal models). ``label``: index into the goal's labels (classifiers), else None.
    ``prompt_tokens`` is how many leading tokens make the prompt. ``rejected`` and
    ``rejected_trained`` are the row with the answer that should not be given in place of the last one;
    empty where the example names none.
    """

    id: str
    tokens: list[int]
    trained: list[bool]
    label: int | None
    weight: float
    prompt_tokens: int
    rejected: list[int] = field(default_factory=list)
    rejected_trained: list[bool] = field(default_factory=list)


@dataclass(frozen=True)
class Dataset:
    """What the model will see, token by token. ``facts`` has token counts and the context used."""

    path: Path
    facts: dict[str, Any]
    counts: dict[str, Any]

    @classmethod
    def open(cls, artifact: Artifact) -> Dataset:
        return cls(artifact.path, artifact.read_json("format.json"), dict(artifact.counts))

    def rows(self, ids: Ids[str] | None = None) -> Iterator[EncodedRow]:
        for row in read_rows(self.path / "rows.parquet"):
            if ids is None or row["id"] in ids:
                yield EncodedRow(**row)

    def ids(self) -> list[str]:
        return [row["id"] for row in read_rows(self.path / "rows.parquet", ["id"])]

    def set_aside(self) -> Iterator[LedgerLine]:
        for row in read_rows(self.path / "set_aside.parquet"):
            yield LedgerLine(**row)
