"""How many test rows would it take to say whether a criterion is met."""

from __future__ import annotations

import math

import numpy as np

from tunesmith.scoring.intervals import Z
from tunesmith.scoring.statistic import Mean, Statistic
from tunesmith.scoring.threshold import ONE_SIDED

#: The chance that so many rows settle it, when the true value is what was assumed: four in five.
POWER = 0.8
#: Above this the jumps of the binomial distribution no longer matter, and the formula alone is used.
_EXACT_UP_TO = 20_000
_NEAR = 1e-9


def rows_needed(
    statistic: Statistic, at_least: float, *, power: float = POWER, level: float = ONE_SIDED, nearer: float = 1.0
) -> int | None:
    """Test rows at which ``at_least`` is shown to be reached (or missed) with a chance of ``power``.

    The true value is assumed to be what it is on these rows, or ``nearer`` (0 to 1) times as far from ``at_least``:
    the value will move as rows are added, and 0.5 is a cautious look at that. Rows must be independent and like
    these. ``level`` is the one-sided level of the claim. None when no number would do: the value lies on the threshold
    itself, or nothing is beyond it.
    """
    value = statistic.estimate()
    distance = nearer * (value - at_least)
    if abs(distance) <= _NEAR:
        return None
    if isinstance(statistic, Mean) and statistic.binary:
        return rows_for_proportion(at_least + distance, at_least, power=power, level=level)
    deviation, skewness = _row_moments(statistic)
    if deviation <= _NEAR:
        return _rows_of_equals(statistic, value, distance)
    return _rows_for_mean(deviation / abs(distance), skewness if distance > 0 else -skewness, power, level)


def _rows_for_mean(spread: float, skewness: float, power: float, level: float) -> int:
    """Rows for a mean whose rows spread ``spread`` times as far as it lies off, skewed so much away from the threshold.

    Guenther, The American Statistician 35 (1981), for the t distribution's wider tails, half of z squared rows; and
    the interval's end moves by skewness (2 z² + 1) / (6 sqrt(n)) standard errors, as BCa's does (P. Hall, "The
    bootstrap and Edgeworth expansion", 1992, section 3.10).
    """
    from scipy.special import ndtri

    z = -float(ndtri(level))
    points, rows = z + float(ndtri(power)), 1.0
    for _ in range(20):
        moved = skewness * (2 * z * z + 1) / (6 * math.sqrt(max(rows, 5.0)))
        rows = (max(0.0, points - moved) * spread) ** 2 + z * z / 2
    return max(1, math.ceil(rows - _NEAR))


def rows_for_proportion(share: float, at_least: float, *, power: float = POWER, level: float = ONE_SIDED) -> int | None:
    """The fewest rows from which on a true ``share`` is shown to lie beyond ``at_least`` with a chance of ``power``.

    Shown as `threshold.p_reached` and Wilson's interval show it, both. n = (z_level sqrt(c (1 - c)) + z_power sqrt(p (1
    - p)))² / (p - c)² (Fleiss, Levin and Paik, "Statistical methods for rates and proportions", 2003, section 2.5),
    and from there by the binomial distribution itself, whose power jumps up and down from row to row.
    """
    if not 0 < at_least < 1:
        return 1 if share < at_least else None  # one mistake disproves 100%, and nothing proves it
    from scipy.special import ndtri

    spread = math.sqrt(at_least * (1 - at_least))
    z = -float(ndtri(level)) * spread + float(ndtri(power)) * math.sqrt(max(0.0, share * (1 - share)))
    about = math.ceil((z / (share - at_least)) ** 2)
    if about > _EXACT_UP_TO:
        return about
    jump = math.ceil(5 / min(at_least, 1 - at_least))  # the power jumps when one row more may be missed
    rows = np.arange(max(1, 3 * about // 4 - jump), 5 * about // 4 + jump + 20)
    short = np.flatnonzero(chance_to_settle(rows, share, at_least, level=level) < power)
    return int(rows[short[-1]]) + 1 if len(short) else int(rows[0])


def chance_to_settle(
    rows: np.ndarray[tuple[int], np.dtype[np.int64]], share: float, at_least: float, *, level: float = ONE_SIDED
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """The chance that so many rows ``[n]`` show a true ``share`` to lie beyond ``at_least``, on its side, ``[n]``."""
    from scipy.stats import binom

    half = Z * np.sqrt(rows * at_least * (1 - at_least))
    if share > at_least:
        hits = np.maximum(binom.isf(level, rows, at_least) + 1, np.ceil(rows * at_least + half - _NEAR))
        return np.asarray(binom.sf(hits - 1, rows, share))
    hits = np.minimum(binom.ppf(level, rows, at_least) - 1, np.ceil(rows * at_least - half + _NEAR) - 1)
    return np.asarray(binom.cdf(hits, rows, share))


def _row_moments(statistic: Statistic) -> tuple[float, float]:
    """The standard deviation and the skewness of what each row adds to the statistic, by leaving it out."""
    n = statistic.rows
    if n < 2:
        return 0.0, 0.0
    without = statistic.leave_one_out()
    added = without.mean() - without
    total = float(np.sum(added**2))
    skewness = math.sqrt(n) * float(np.sum(added**3)) / total**1.5 if total > 0 else 0.0
    return math.sqrt((n - 1) * total), skewness


def _rows_of_equals(statistic: Statistic, value: float, distance: float) -> int | None:
    """Rows at which the interval of equal values (`intervals.bootstrap`) is narrow enough, if all stay equal."""
    smallest, largest = statistic.bounds
    room = value - smallest if distance > 0 else (2 * value - smallest if math.isinf(largest) else largest) - value
    return max(1, math.ceil(Z * Z * (room / abs(distance) - 1) - _NEAR)) if room > 0 else 1
