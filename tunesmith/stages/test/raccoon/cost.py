"""How many rows of each family there is time for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tunesmith.stages.test.raccoon.family import Material

#: Numbers of rows that are worth choosing between: a seed's smaller suite is the beginning of its larger one.
STEPS = (1, 2, 3, 5, 8, 12, 20, 30)
#: What the very long may take of the time, and how much longer than the longest test prompt they are where the
#: whole of what the base can see would take too long.
LONG_SHARE = 0.2
TIMES_LONGER = 4
VERY_LONG = "very_long"


@dataclass(frozen=True)
class Plan:
    """``counts``: rows by family. ``left_out``: families for which there was no time. ``most``: tokens of the very
    long, None for as many as the base can see."""

    counts: dict[str, int]
    left_out: tuple[str, ...] = ()
    most: int | None = None


@dataclass(frozen=True)
class Pace:
    """What was measured: ``seconds`` an answer, ``prompt`` tokens of the longest prompt, ``end`` those that the base
    can see at most."""

    seconds: float
    prompt: int
    end: int

    @property
    def seconds_at_the_end(self) -> float:
        """What an answer to the longest prompt there can be takes, taken as in proportion to its tokens."""
        return self.seconds * max(1.0, self.end / max(1, self.prompt))


def asked_for(families: Sequence[str], rows: int, pace: Pace, seconds_for_long: float) -> Plan:
    """As many rows of each family as the user asked for; of the very long as many as fit a time, and one at least."""
    counts = dict.fromkeys(families, rows)
    if VERY_LONG in counts:
        counts[VERY_LONG] = max(1, min(rows, int(seconds_for_long / max(1e-9, pace.seconds_at_the_end))))
    return Plan(counts)


def affordable(families: Sequence[str], seconds: float, pace: Pace) -> Plan:
    """As many rows of each family as can be answered in a time; of the first families one where not all can."""
    each = max(1e-9, pace.seconds)
    counts: dict[str, int] = {}
    most = None
    rest = seconds
    if VERY_LONG in families:
        for_long = LONG_SHARE * seconds
        to_the_end = int(for_long / max(1e-9, pace.seconds_at_the_end))
        most = None if to_the_end else TIMES_LONGER * pace.prompt
        counts[VERY_LONG] = max(1, min(STEPS[-1], to_the_end))
        rest -= min(rest, counts[VERY_LONG] * (pace.seconds_at_the_end if to_the_end else TIMES_LONGER * each))
    others = [family for family in families if family != VERY_LONG]
    answers = int(rest / each)
    rows = max((step for step in STEPS if step * len(others) <= answers), default=0)
    asked = others if rows else others[: max(1, answers)]
    counts |= dict.fromkeys(asked, rows or 1)
    return Plan(
        {family: counts[family] for family in families if family in counts},
        tuple(family for family in families if family not in counts),
        most,
    )


def longest(material: Material) -> int:
    """Tokens of the longest prompt among the rows."""
    return max((material.tokens(row, row.text) or 0 for row in material.rows), default=0)
