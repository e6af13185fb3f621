"""Is a value at least so much, or shown to be less: one-sided tests that go with the 95% intervals."""

from __future__ import annotations

import math

from tunesmith.example import Score
from tunesmith.scoring.intervals import Z

#: Each side of a 95% interval: the chance that a claim about one value is wrong.
ONE_SIDED = 0.025


def p_missed(score: Score, at_least: float, *, proportion: bool) -> float:
    """The p-value of "the true value is ``at_least`` or more": small where it is shown to be less.

    Of proportions by the binomial distribution, exactly. Of others by how often the interval's upper half goes into
    the distance, as if the normal distribution held there: 0.025 where the interval ends at ``at_least``.
    """
    if proportion:
        from scipy.stats import binom

        return float(binom.cdf(round(score.value * score.n), score.n, at_least))
    return _tail(at_least - score.value, score.high - score.value)


def p_reached(score: Score, at_least: float, *, proportion: bool) -> float:
    """The p-value of "the true value is below ``at_least``": small where it is shown to reach it. As `p_missed`."""
    if at_least <= 0 <= score.low:
        return 0.0
    if proportion:
        from scipy.stats import binom

        return float(binom.sf(round(score.value * score.n) - 1, score.n, at_least))
    return _tail(score.value - at_least, score.value - score.low)


def _tail(distance: float, half: float) -> float:
    """The chance of a value so far out, where ``half`` is 1.96 standard errors."""
    if half <= 0:
        return 0.0 if distance > 0 else 1.0
    return 0.5 * math.erfc(Z * distance / half / math.sqrt(2))
