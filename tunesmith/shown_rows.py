"""The first rows as the model sees them, for `tunesmith format --show`: part of `Project`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunesmith.plugins import learner_for

if TYPE_CHECKING:
    from tunesmith.project import Project


@dataclass(frozen=True)
class ShownRow:
    """A row as the model sees it: ``pieces`` of text, each with whether it is trained."""

    id: str
    where: str
    pieces: list[tuple[str, bool]]
    tokens: int
    note: str = ""


def show_rows(project: Project, count: int) -> list[ShownRow]:
    """The first ``count`` rows of the data set, where they came from, and what is trained of each."""
    goal, base, dataset = (project.product(stage) for stage in ("goal", "base", "format"))
    encoder = learner_for(base.kind, goal.input, goal.output).encode.encoder(base, goal, dataset.facts["max_tokens"])
    rows = [row for row, _ in zip(dataset.rows(), range(count), strict=False)]
    found = project.product("clean").examples({row.id for row in rows})
    places = {example.id: example.source.where for example in found}
    return [
        ShownRow(
            row.id,
            places[row.id],
            encoder.pieces(row),
            len(row.tokens),
            f"label: {goal.labels[row.label]}" if row.label is not None else "",
        )
        for row in rows
    ]
