"""`tunesmith show split`: the sizes of the parts, and what keeps test rows out of training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunesmith.cli.screen import Screen
from tunesmith.products import PARTS, Splits

WHAT_FOR = {
    "train": "to learn from",
    "validation": "to choose the best step on",
    "test": "to measure on; locked, what trains cannot read it",
}


def show(split: Splits, screen: Screen) -> None:
    """Show how many rows are in each part, how they were kept apart, and the lock."""
    sizes = {part: len(split.ids(part)) for part in PARTS}
    total = sum(sizes.values()) or 1
    screen.table(
        ["part", "rows", "share", ""],
        [[part, f"{size:,}", f"{size / total:.1%}", WHAT_FOR[part]] for part, size in sizes.items()],
        right=(1, 2),
    )
    screen.say()
    for line in leak_note(split.facts):
        screen.say(line, wrap=True)
    screen.pairs([("lock (sha256)", split.test_sha256)])


def leak_note(facts: Mapping[str, Any]) -> list[str]:
    """What keeps the parts apart, in sentences, and what it was worth."""
    if facts["largest_group"] > 1:
        lines = [
            f"The rows make {facts['groups']:,} groups of equal or nearly equal inputs (the largest has "
            f"{facts['largest_group']:,} rows), and each group stands in one part.",
            f"A plain random split would have put near copies of {facts['random_would_leak']:,} test rows "
            "into training.",
        ]
    else:
        lines = ["No two inputs are equal or nearly equal, so no part holds a copy of a row of another."]
    if facts.get("left_out"):
        lines.append(f"Left out: {facts['left_out']:,} rows that are too like a row of a part that you gave.")
    return lines
