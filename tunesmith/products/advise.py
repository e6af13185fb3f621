"""Prompt, retrieval, fine-tuning or both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunesmith.artifact import Artifact
from tunesmith.example_parquet import read_rows


@dataclass(frozen=True)
class Advice:
    """Prompt, retrieval, fine-tuning or both, as measured on validation rows.

    ``arms``: one mapping an arm that was measured, from the simplest to the most work: name, setup, words, score,
    meets, behind (None of the best), cost. ``left_out``: why other arms were not. ``advice``: answer (prompt, examples,
    retrieval, tuned, tuned_retrieval or cannot_tell), arm, words, reasons, changes. ``facts``: metric, rows, whether
    there was a tuned model, the prompts that were tried. ``table``: the arms as the page shows them, its heads first.
    """

    folder: Path
    arms: tuple[dict[str, Any], ...]
    left_out: dict[str, str]
    advice: dict[str, Any]
    facts: dict[str, Any]
    table: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def open(cls, artifact: Artifact) -> Advice:
        data = artifact.read_json("advise.json")
        table = tuple(map(tuple, data["table"]))
        return cls(artifact.path, tuple(data["arms"]), data["left_out"], data["advice"], data["facts"], table)

    def setup(self, arm: str) -> dict[str, Any] | None:
        """An arm's set-up as JSON, None for one that was not measured."""
        return next((one["setup"] for one in self.arms if one["name"] == arm), None)

    def vectors(self) -> Iterator[tuple[str, bytes]]:
        """The training examples that similar ones are chosen among: id, and float16 vector (empty without encoder)."""
        for row in read_rows(self.folder / "examples.parquet"):
            yield row["id"], row["vector"]

    @property
    def markdown(self) -> Path:
        return self.folder / "advise.md"
