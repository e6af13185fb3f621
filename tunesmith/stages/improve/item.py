"""An item of the proposal with its rows, as it is put together."""

from __future__ import annotations

from dataclasses import dataclass

from tunesmith.products import ProposedItem, ProposedRow


@dataclass(frozen=True)
class Made:
    """``item`` and the rows that it is about."""

    item: ProposedItem
    rows: tuple[ProposedRow, ...] = ()


def counted(number: int, what: str) -> str:
    """ "1 row", "12 rows"."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def quoted(text: str, characters: int = 60) -> str:
    """A text on one line, in quotes, cut where it is long."""
    line = " ".join(text[: 4 * characters].split())
    return f"“{line if len(line) <= characters else line[: characters - 1] + '…'}”"
