"""Choose a prompt by successive halving on training rows: most are tried on few rows, the better half goes on.

An untrained base has seen no training row, so choosing on these leaves the validation rows unspent: the figure of the
chosen prompt is not flattered by the choice. K. Jamieson and A. Talwalkar, "Non-stochastic best arm identification and
hyperparameter optimization", AISTATS 2016.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tunesmith.answering.setups import Setup
from tunesmith.example import Example

#: Rows of the first round.
FEWEST = 6
#: Scores the answers of a set-up to rows.
Score = Callable[[Setup, Sequence[Example]], float]


@dataclass(frozen=True)
class Tried:
    """A set-up in one round: its score on so many training rows."""

    setup: Setup
    rows: int
    score: float


def rounds_for(candidates: int, rows: int) -> list[tuple[int, int]]:
    """How many set-ups are tried on how many rows, round by round, up to ``rows`` of them."""
    found = []
    size = min(rows, max(FEWEST, rows // 4))
    while candidates > 1 and size > 0:
        found.append((candidates, size))
        if size >= rows:
            break
        candidates, size = -(-candidates // 2), min(rows, 2 * size)
    return found


def choose(candidates: Sequence[Setup], rows: Sequence[Example], score: Score) -> tuple[Setup, list[Tried]]:
    """The best set-up, and all that was tried. Of equally good ones the earlier is kept.

    Where all get nothing right on the first rows, no more are asked: the rows need something that no prompt has.
    """
    left = list(candidates)
    tried: list[Tried] = []
    for _, size in rounds_for(len(left), len(rows)):
        found = [Tried(setup, size, score(setup, rows[:size])) for setup in left]
        tried += found
        ranked = sorted(range(len(left)), key=lambda at: (-found[at].score, at))
        left = [left[at] for at in ranked[: max(1, -(-len(left) // 2))]]
        if size >= len(rows) or not any(one.score for one in found):
            break
    return left[0], tried
