"""Whether an answer that differs does so by rounding alone: found out by asking again without that rounding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from tunesmith.export.compare import Comparison, RowDifference

#: Compares the answers to the rows of these ids, asked in float32 arithmetic, with the trained model's.
Compare = Callable[[Sequence[str]], Comparison]


def measured(comparison: Comparison, compare: Compare) -> Comparison:
    """The comparison with only those differences called rounding that are none, or a tie, in float32 arithmetic.

    Nothing is asked where rounding explains nothing.
    """
    doubted = [one.id for one in comparison.differences if one.cause == "rounding"]
    if not doubted:
        return comparison
    left = {one.id for one in compare(doubted).differences if one.cause != "tie"}

    def judged(one: RowDifference) -> RowDifference:
        return replace(one, cause="unexplained") if one.cause == "rounding" and one.id in left else one

    return replace(comparison, differences=tuple(map(judged, comparison.differences)))


def note(comparison: Comparison) -> str | None:
    """What was found, for the certificate; None where rounding explains nothing."""
    rounded = sum(one.cause == "rounding" for one in comparison.differences)
    if not rounded:
        return None
    return (
        f"Rows that differ by rounding ({rounded}) were asked again of the same file, computed in float32, as "
        "`tunesmith serve` does: there they have the trained model's answer."
    )
