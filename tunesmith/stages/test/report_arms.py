"""The report's section on what was advised: the ways to do the task, as `advise` measured them on validation rows.

As HTML it is in report_arms.html.jinja.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tunesmith.products import Advice

Table = Callable[[Sequence[str], list[tuple[str, ...]]], str]
LEAD = "Measured by tunesmith advise on validation rows, not on the test rows that this report is about."


@dataclass(frozen=True)
class Arms:
    """``heads`` and ``rows`` of the table, the advice in ``words``, and why other arms were ``left_out``."""

    heads: Sequence[str]
    rows: Sequence[tuple[str, ...]]
    words: str
    left_out: Sequence[str]


def arms_of(advice: Advice | None) -> Arms | None:
    """What the advice says of these models; None where none was asked for, or nothing was measured."""
    if advice is None or not advice.table:
        return None
    left_out = [f"{name} was not measured: {why}." for name, why in advice.left_out.items()]
    heads, *rows = advice.table
    return Arms(heads, rows, str(advice.advice["words"]), left_out)


def as_markdown(found: Arms, inline: Callable[[str], str], table: Table) -> str:
    """The section; ``inline`` escapes a text, ``table`` writes a table of escaped cells."""
    rows = [tuple(map(inline, row)) for row in found.rows]
    parts = ["## Prompt, retrieval, tuning", LEAD, f"**{inline(found.words)}**", table(found.heads, rows)]
    return "\n\n".join([*parts, *map(inline, found.left_out)])
