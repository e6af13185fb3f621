"""Is it good enough."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tunesmith.artifact import Artifact
from tunesmith.example import Score
from tunesmith.example_parquet import read_rows


@dataclass(frozen=True)
class Report:
    """Is it good enough: scores by candidate, differences, the goal's verdict, the worst rows.

    ``scores[candidate]`` is a list of Score. ``verdict``: decision (ship, do_not_ship, not_enough_evidence), code of
    the goal (met, not_met, too_few_examples, no_goal), words, and one entry a criterion.
    """

    folder: Path
    scores: dict[str, list[Score]]
    differences: list[dict[str, Any]]
    verdict: dict[str, Any]
    facts: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def open(cls, artifact: Artifact) -> Report:
        data = artifact.read_json("test.json")
        scores = {name: [Score(**score) for score in scores] for name, scores in data["scores"].items()}
        return cls(artifact.path, scores, data["differences"], data["verdict"], data["facts"])

    def predictions(self) -> Iterator[dict[str, Any]]:
        """One mapping a test row: id, input, reference, and each candidate's answer and scores."""
        yield from read_rows(self.folder / "predictions.parquet")

    @property
    def html(self) -> Path:
        return self.folder / "report.html"

    @property
    def markdown(self) -> Path:
        return self.folder / "report.md"
