"""`tunesmith show split`: the sizes of the parts, and what keeps test rows out of training."""

from __future__ import annotations

from tunesmith.cli.screen import Screen
from tunesmith.cli.words import counts_in_words
from tunesmith.products import PARTS, Splits

WHAT_FOR = {
    "train": "to learn from",
    "validation": "to choose the best step on",
    "test": "to measure on; locked, what trains cannot read it",
}


def show(split: Splits, screen: Screen) -> None:
    """Show how many rows are in each part, how they were kept apart, and the lock."""
    sizes = {part: len(split.ids(part)) for part in PARTS}
    total = sum(sizes.values())
    screen.table(
        ["part", "rows", "share", ""],
        [[part, f"{size:,}", f"{size / total:.1%}", WHAT_FOR[part]] for part, size in sizes.items()],
        right=(1, 2),
    )
    screen.say()
    rest = {key: value for key, value in {**split.counts, **split.facts}.items() if key not in (*PARTS, "test_sha256")}
    if words := counts_in_words(rest):
        screen.say(words)
    screen.say(
        "Inputs that are equal or nearly equal stand in one part, so no test row was seen in training.", wrap=True
    )
    screen.pairs([("lock (sha256)", split.test_sha256)])
