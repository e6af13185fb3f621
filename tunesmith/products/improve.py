"""What to do next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tunesmith.artifact import Artifact
from tunesmith.example_parquet import read_rows

#: In the order in which they are shown: what is wrong first, then what is missing.
ProposedKind = Literal["relabel", "remove", "add", "label", "collect", "settings"]


@dataclass(frozen=True)
class Gain:
    """What an item should bring, in points of the score (0 to 1), with an interval; ``at_most``: it is a ceiling."""

    value: float
    low: float
    high: float
    at_most: bool = False


@dataclass(frozen=True)
class ProposedItem:
    """One thing to do. ``evidence``: why, a sentence each. ``gain``: None where it is not known; ``how`` says how it
    was estimated, or why it was not. ``rows``: how many rows it is about. ``setting``: a key of the project file and
    the value to give it."""

    id: str
    kind: ProposedKind
    what: str
    evidence: tuple[str, ...] = ()
    gain: Gain | None = None
    how: str = ""
    rows: int = 0
    setting: tuple[str, Any] | None = None

    @property
    def accepted_by_itself(self) -> bool:
        """Whether accepting it changes anything; examples that are missing must be collected by a person."""
        return self.kind != "collect"


@dataclass(frozen=True)
class ProposedRow:
    """A row of an item: its example id (none for a row that is not in the data), what it asks, its answer now, and the
    answer that is proposed; ``why`` in words, ``where`` it stands. ``messages``: the whole prompt as JSON, where it is
    more than one message of a user."""

    item: str
    id: str
    input: str
    answer: str
    proposed: str
    why: str
    where: str
    messages: str = ""


@dataclass(frozen=True)
class Proposal:
    """What to do next, to be accepted in parts. Nothing was changed by making it."""

    path: Path
    id: str
    items: tuple[ProposedItem, ...]
    facts: dict[str, Any]

    @classmethod
    def open(cls, artifact: Artifact) -> Proposal:
        data = artifact.read_json("proposal.json")
        return cls(artifact.path, artifact.id, tuple(_item(item) for item in data["items"]), data["facts"])

    def rows(self, item: str | None = None) -> Iterator[ProposedRow]:
        """The rows of one item, or of all."""
        for row in read_rows(self.path / "rows.parquet"):
            if item is None or row["item"] == item:
                yield ProposedRow(**row)


def _item(item: dict[str, Any]) -> ProposedItem:
    gain = Gain(**item["gain"]) if item["gain"] else None
    setting = (item["setting"][0], item["setting"][1]) if item["setting"] else None
    return ProposedItem(**{**item, "evidence": tuple(item["evidence"]), "gain": gain, "setting": setting})
