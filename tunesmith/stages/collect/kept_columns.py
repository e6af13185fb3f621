"""Columns that the model never sees and the split needs: whose row it is, and when it was."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from tunesmith.example import digest
from tunesmith.stages.collect.rows import RowProblem, excerpt

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?")
_EIGHT_DIGITS = re.compile(r"\d{8}")
#: A number above this is milliseconds since 1970, not seconds (seconds reach it in the year 5138).
_MOST_SECONDS = 100_000_000_000


@dataclass(frozen=True)
class KeptColumns:
    """The columns that `split` names: ``group`` (whose rows stay together) and ``time``; None where it names none."""

    group: str | None = None
    time: str | None = None

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> KeptColumns:
        """From the facts that the pipeline gives the stage."""
        return cls(**(facts.get("kept_columns") or {}))

    @property
    def names(self) -> list[str]:
        return [name for name in (self.group, self.time) if name is not None]


def group_of(value: Any) -> str | None:
    """A hash of what names the group, so that no file holds a customer's name; None where the cell is empty."""
    text = value.strip() if isinstance(value, str) else "" if value is None or value != value else str(value)
    return digest("group", text) if text else None


def time_of(value: Any, column: str) -> int:
    """Microseconds since 1970 of a date, a time in ISO 8601, or a number of seconds or milliseconds since 1970.

    A time without a zone is taken as UTC. Raises RowProblem ``bad_time`` for anything else.
    """
    try:
        moment = _moment(value)
    except (ValueError, OverflowError):
        moment = None
    if moment is None:
        found = f"holds {excerpt(str(value))}" if value is not None and str(value).strip() else "is empty"
        raise RowProblem(
            "bad_time", f"the column {column!r} {found}: no date or time such as 2026-03-01 or 2026-03-01T09:30:00Z"
        )
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _moment(value: Any) -> datetime | None:
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, int | float):
        return _since_1970(value)
    text = str(value).strip()
    if _NUMBER.fullmatch(text) and not _EIGHT_DIGITS.fullmatch(text):
        return _since_1970(float(text) if "." in text else int(text))
    return _moment(datetime.fromisoformat(text))


def _since_1970(number: int | float) -> datetime:
    if abs(number) > _MOST_SECONDS:
        return _EPOCH + timedelta(milliseconds=number)
    return _EPOCH + timedelta(seconds=number)
