"""How many test rows would it take to say whether a criterion is met."""

from __future__ import annotations

import math

from tunesmith.example import Score
from tunesmith.scoring.intervals import Z


def rows_needed(score: Score, at_least: float, *, proportion: bool) -> int | None:
    """Test rows at which the interval would leave ``at_least`` on one side, if the value stayed as it is.

    That "if" is an assumption: the value will move as rows are added, so this is a size to aim at,
    not a promise; rows must be independent and like these. None when no number would do: the value
    lies on the threshold itself, or the threshold is 0 or 1.

    Proportions: Wilson's interval is the set of shares that the score test does not refuse, so
    n = z² c (1 - c) / (p - c)². Others: the interval's half on that side shrinks with sqrt(n).
    """
    distance = score.value - at_least
    if math.isclose(distance, 0.0, abs_tol=1e-9):
        return None
    if proportion:
        variance = at_least * (1 - at_least)
        needed = Z * Z * variance / distance**2
        return max(1, math.ceil(needed - 1e-9)) if variance > 0 else None
    half = score.value - score.low if distance > 0 else score.high - score.value
    return max(1, math.ceil(score.n * (half / distance) ** 2 - 1e-9))
