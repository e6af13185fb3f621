"""Places in a text, and what is held back since it may belong to one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

#: ``text[start:end]``
Place = tuple[int, int]


def joined(places: Iterable[Place]) -> list[Place]:
    """The places in their order, those that overlap as one."""
    found: list[Place] = []
    for start, end in sorted(places):
        if found and start < found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        elif end > start:
            found.append((start, end))
    return found


def first_open(places: Sequence[Place], at: int) -> int:
    """``at``, or the start of the place that reaches beyond it: a place is settled whole or not at all."""
    return next((start for start, end in places if start < at < end), at)
