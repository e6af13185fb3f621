"""A row as it was read from a file, before it is an example: good, or bad with its reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from tunesmith.errors import InputError
from tunesmith.privacy.mask import masked_text

#: Longest line of a text file, in bytes: a file without line ends must not fill the memory.
MAX_LINE = 64 * 1024 * 1024

SET_ASIDE = "mend the row, or write `bad_rows: set_aside` for this source to go on without such rows"
FIXES = {
    "undecodable": "write the file's encoding for this source (for example `encoding: cp1252`), "
    "or `bad_rows: set_aside` to go on without such rows",
    "bad_time": "write it as 2026-03-01 or 2026-03-01T09:30:00Z, or `bad_rows: set_aside` to go on without such rows",
    "unequal_columns": "put cells that hold the separator in double quotes, or write `bad_rows: set_aside` "
    "for this source to go on without such rows",
}


class RawRow(NamedTuple):
    """A row that could be read. ``line`` is 1-based; ``raw`` is its text in the file (None: made from ``value``)."""

    line: int
    value: dict[str, Any]
    raw: str | bytes | None


class BadRow(NamedTuple):
    """A row that cannot become an example: why, and its text, whole."""

    line: int
    code: str
    evidence: str
    raw: str

    def as_error(self, uri: str) -> InputError:
        """The fault that a user is told."""
        return InputError(self.code, self.evidence, f"{uri}:{self.line}", FIXES.get(self.code, SET_ASIDE))


class RowProblem(Exception):
    """Raised while a row is turned into an example; becomes a BadRow."""

    def __init__(self, code: str, evidence: str) -> None:
        super().__init__(evidence)
        self.code = code
        self.evidence = evidence


@dataclass(frozen=True)
class Table:
    """A file open for reading.

    ``columns`` are those of the header or schema, None where each row names its own. ``encoding`` and
    ``delimiter`` are None where the format has none. ``position`` tells how many bytes of the file are read.
    """

    rows: Iterator[RawRow | BadRow]
    columns: list[str] | None
    encoding: str | None
    delimiter: str | None
    position: Callable[[], int]


def raw_text(row: RawRow) -> str:
    """The text of a row as it stands in its file, or as JSON where the file is not text."""
    if row.raw is None:
        return json.dumps(row.value, ensure_ascii=False, default=str)
    return row.raw if isinstance(row.raw, str) else row.raw.decode("utf-8", "backslashreplace")


def bad(row: RawRow, problem: RowProblem) -> BadRow:
    """The bad row that a problem makes of a row."""
    return BadRow(row.line, problem.code, problem.evidence, raw_text(row))


def excerpt(text: str, length: int = 60) -> str:
    """The start of a text on one line, in quotes, for an error message: private values are masked."""
    flat = " ".join(masked_text(text[: 4 * length]).split())
    return repr(flat if len(flat) <= length else flat[: length - 1] + "…")
