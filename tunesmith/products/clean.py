"""The examples that stay, and what became of the others."""

from __future__ import annotations

from collections.abc import Collection as Ids
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunesmith.artifact import Artifact, read_json
from tunesmith.errors import TunesmithError
from tunesmith.example import Example, Source
from tunesmith.example_parquet import count_rows, example_from_row, read_examples, read_rows


@dataclass(frozen=True)
class LedgerLine:
    """What became of one example: ``state`` is kept, flagged (kept, and to be looked at), changed,
    merged or set_aside."""

    id: str
    state: str
    code: str
    evidence: str
    into: str | None = None
    before: str | None = None


#: The one file of a clean set that holds private data, and the one with the sum of its ledger.
PRIVATE_FILE, LEDGER_SUM = "private.parquet", "ledger.json"


@dataclass(frozen=True)
class PrivateRow:
    """A row with private data, as it came in. ``found`` says what and where, in words, without the values."""

    example: Example
    state: str
    found: tuple[str, ...]


@dataclass(frozen=True)
class UnevenFormat:
    """Something that the answers write in several ways: how often each, of the rows that were looked at.

    ``wanted`` is the form that would make it one, None where no rule is safe. ``firsts`` has a text for each form.
    """

    code: str
    where: str
    forms: dict[str, int]
    wanted: str | None
    firsts: dict[str, str]

    @property
    def exceptions(self) -> int:
        """The rows that are not in the commonest form, or not in the wanted one."""
        return sum(self.forms.values()) - self.forms.get(self.wanted or "", max(self.forms.values()))


#: What `clean` saw in a look at the whole set.
SURVEY_FILE = "survey.json"


@dataclass(frozen=True)
class Survey:
    """What a look at the whole set showed: ``looked_at`` of ``rows`` rows, evenly spread."""

    rows: int = 0
    looked_at: int = 0
    uneven: tuple[UnevenFormat, ...] = ()


@dataclass(frozen=True)
class CleanSet:
    """The examples that stay, those set aside, and the ledger (rows kept untouched have no line)."""

    path: Path
    counts: dict[str, Any]

    @classmethod
    def open(cls, artifact: Artifact) -> CleanSet:
        return cls(artifact.path, dict(artifact.counts))

    def examples(self, ids: Ids[str] | None = None) -> Iterator[Example]:
        return read_examples(self.path / "examples.parquet", ids)

    def places(self, ids: Ids[str]) -> dict[str, str]:
        """Where these rows came from, by id, in file order."""
        rows = read_rows(self.path / "examples.parquet", ["id", "uri", "row"])
        return {row["id"]: Source(row["uri"], row["row"]).where for row in rows if row["id"] in ids}

    def set_aside(self) -> Iterator[Example]:
        return read_examples(self.path / "set_aside.parquet")

    def private(self) -> Iterator[PrivateRow]:
        """The rows in which private data was found, with it: for their owner alone."""
        for row in read_rows(self.path / PRIVATE_FILE):
            yield PrivateRow(example_from_row(row), row["state"], tuple(row["found"]))

    def ledger_sum(self) -> dict[str, int] | None:
        """The sum that the stage checked and stored: in, kept (changed ones among them), merged and set_aside.

        None for a clean set of an earlier version. It is added up again from the files. Raises TunesmithError
        ``ledger_broken`` when it is not what they hold.
        """
        if not (self.path / LEDGER_SUM).exists():
            return None
        told: dict[str, int] = read_json(self.path / LEDGER_SUM)
        files = {"kept": "examples.parquet", "merged": "merged.parquet", "set_aside": "set_aside.parquet"}
        found = {state: count_rows(self.path / name) for state, name in files.items()}
        if any(told[state] != number for state, number in found.items()) or told["in"] != sum(found.values()):
            raise TunesmithError(
                "ledger_broken",
                f"the ledger's sum is {told}, and its files hold {found}",
                str(self.path),
                "`tunesmith run --to clean --from-scratch` makes it again",
            )
        return told

    def ledger(self) -> Iterator[LedgerLine]:
        for row in read_rows(self.path / "ledger.parquet"):
            yield LedgerLine(**row)

    @property
    def survey(self) -> Survey:
        """What the look at the whole set showed; nothing for a set that was made before there was one."""
        if not (self.path / SURVEY_FILE).exists():
            return Survey()
        data = read_json(self.path / SURVEY_FILE)
        return Survey(**{**data, "uneven": tuple(UnevenFormat(**one) for one in data["uneven"])})

    def coverage(self) -> dict[str, Any] | None:
        """How much of the goal the examples cover, and what to collect next; None in a set of an earlier version."""
        path = self.path / "coverage.json"
        return read_json(path) if path.exists() else None
