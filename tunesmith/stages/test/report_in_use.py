"""The report's section on the version in use, as Markdown; as HTML it is in report_in_use.html.jinja."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tunesmith.stages.test.in_use import BesideInUse, ChangedRow, figures_of, score_of

Table = Callable[[Sequence[str], list[tuple[str, ...]]], str]


def as_markdown(found: BesideInUse, metric: str, inline: Callable[[str], str], table: Table) -> str:
    """The section. ``metric``: that of rows; ``inline`` escapes a text, ``table`` writes a table of escaped cells."""
    lines = ["## Beside the version in use", inline(found.words)]
    if found.differences:
        heads = ("Metric", "Difference, points", "95% interval", "p", "Shown")
        lines.append(table(heads, [tuple(map(inline, figures_of(one))) for one in found.differences]))
    for title, rows, count in (
        ("Rows that got worse", found.told_worse, found.worse),
        ("Rows that got better", found.told_better, found.better),
    ):
        if rows:
            lines.append(f"### {title} ({len(rows):,} of {count:,})")
            columns = ("Row", "Input", "Reference", "In use", "Now", "Score")
            lines.append(table(columns, [tuple(map(inline, cells(one, metric))) for one in rows]))
    return "\n\n".join(lines)


def cells(one: ChangedRow, metric: str) -> tuple[str, ...]:
    before, now = score_of(one, metric)
    return one.where, one.input, one.reference, one.before, one.now, f"{before} → {now}"
