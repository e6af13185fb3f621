"""How long an answer may be."""

from __future__ import annotations

from collections.abc import Iterable

from tunesmith.products import EncodedRow

#: Where all answers are shorter, they may have so many tokens.
SHORTEST_LIMIT = 16


def limit_for(rows: Iterable[EncodedRow], room: int, wanted: int | None = None) -> int:
    """The longest answer in tokens: as wanted, or half as long again as the longest of these rows.

    Never more than ``room``, which the context leaves for it, and at least one.
    """
    longest = 0 if wanted else max((len(row.tokens) - row.prompt_tokens for row in rows), default=0)
    return max(1, min(wanted or max(SHORTEST_LIMIT, 3 * longest // 2), room))
