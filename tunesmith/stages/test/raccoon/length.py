"""Very short and very long: a text cut to its first words, and one with filler up to the context's end."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tunesmith.stages.test.raccoon.family import Change, Family, Material, Row
from tunesmith.stages.test.raccoon.phrases import phrases

#: Words that are left of a text that was cut.
FEW = (1, 2, 3)
#: A footer ends here, whatever the base can see.
MOST_SENTENCES = 2**16


def very_short(row: Row, material: Material, draw: Random) -> Change | None:
    """The first one to three words."""
    words = row.text.split()
    count = draw.choice(FEW)
    return Change(" ".join(words[:count]), {"words": count}) if len(words) > count else None


def very_long(row: Row, material: Material, draw: Random) -> Change | None:
    """The text, and below it a footer that goes on to the end of what the base can see."""
    sentences = phrases()["wrapping"]["filler"]
    start = draw.randrange(len(sentences))

    def with_footer(count: int) -> str:
        footer = (sentences[(start + number) % len(sentences)] for number in range(count))
        return f"{row.text}\n\n-- \n{' '.join(footer)}"

    def fits(count: int) -> bool:
        tokens = material.tokens(row, with_footer(count))
        return tokens is not None and (material.most is None or tokens <= material.most)

    most = _largest(fits)
    return Change(with_footer(most), {"sentences": most, "first": start}) if most else None


def _largest(fits: Callable[[int], bool]) -> int:
    """The largest count that fits, 0 where none does: doubled until one does not, then by halves."""
    low, high = 0, 1
    while high < MOST_SENTENCES and fits(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


FAMILIES = (
    Family("very_short", "very short text", "form", "cut to its first one to three words", very_short),
    Family("very_long", "very long text", "same", "a footer up to the end of what the base can see", very_long),
)
