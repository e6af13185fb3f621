"""The report's section on what stands beside the scores, as Markdown; `opinions.html.jinja` is the same as HTML."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Table = Callable[[Sequence[str], Sequence[Sequence[str]]], str]

TITLE = "People, a judge model and other candidates"
LEAD = "None of this is part of the verdict, which rests on the scores alone."
REVIEWERS = ("Reviewer", "Rows", "{0} better", "{1} better", "Same", "Neither good", "Preferred {0}")
METRICS = ("Metric", "{0}", "Tuned", "Difference, points", "p")


def opinions_as_markdown(found: Mapping[str, Any], inline: Callable[[str], str], table: Table) -> str:
    """The section, empty where there is nothing to tell. ``inline`` escapes a text, ``table`` writes one."""
    parts: list[str] = []
    for other in found.get("others", ()):
        parts.append(f"### {inline(other['candidate'])}: {inline(other['what'])}, {inline(other['where'])}")
        rows = [tuple(map(inline, row)) for row in other["metrics"]]
        parts.append(table([head.format(inline(other["candidate"])) for head in METRICS], rows))
    if people := found.get("people"):
        parts += ["### People", *map(inline, people["words"])]
        head = [inline(name.format(*people["candidates"])) for name in REVIEWERS]
        parts.append(table(head, [tuple(map(inline, row)) for row in people["reviewers"]]))
    if judge := found.get("judge"):
        parts += ["### A judge model", f"Asked: {inline(judge['question'])}", *map(inline, judge["words"])]
    return "\n\n".join([f"## {TITLE}", LEAD, *parts]) if parts else ""
