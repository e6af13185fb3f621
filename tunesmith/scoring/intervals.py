"""95% intervals: Wilson's for proportions, the bootstrap for everything else.

Both take the rows as independent draws of what the model will meet.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from tunesmith.example import Score
from tunesmith.scoring.statistic import FloatArray, Mean, Minus, Statistic

#: The normal distribution's 97.5% point.
Z = 1.959963984540054
RESAMPLES = 10_000
_CELLS_AT_ONCE = 2_000_000  # weights held in memory at a time: 16 MB
_TINY = 1e-12


def score(metric: str, statistic: Statistic, *, resamples: int = RESAMPLES, seed: int = 0) -> Score:
    """The statistic's value with its 95% interval. Raises ValueError when there are no rows."""
    if statistic.rows == 0:
        raise ValueError(f"{metric} cannot be measured on no rows")
    value = statistic.estimate()
    if isinstance(statistic, Mean) and statistic.binary:
        low, high = wilson(float(statistic.values.sum()), statistic.rows)
    else:
        low, high = bootstrap(statistic, resamples=resamples, seed=seed)
    return Score(metric, value, statistic.rows, min(low, value), max(high, value))


def wilson(successes: float, n: int) -> tuple[float, float]:
    """Wilson's score interval of a proportion of ``n`` independent rows.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
    Recommended for small n by Brown, Cai and DasGupta, Statistical Science 16 (2001).
    """
    if n <= 0 or not 0 <= successes <= n:
        raise ValueError(f"{successes} of {n} is no proportion")
    share = successes / n
    centre = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return low, high


def bootstrap(statistic: Statistic, *, resamples: int = RESAMPLES, seed: int = 0) -> tuple[float, float]:
    """The BCa bootstrap interval, widened for small samples; inside the statistic's bounds.

    BCa (bias-corrected and accelerated): B. Efron, "Better bootstrap confidence intervals", JASA 82 (1987),
    with the acceleration from leaving out one row at a time. For means its normal points are replaced by
    sqrt(n / (n - 1)) times Student's, since a resample varies too little when n is small; macro-F1 does not, since its
    rare labels come and go: T. Hesterberg, "What teachers should know about the bootstrap", The American Statistician
    69 (2015).
    """
    value = statistic.estimate()
    draws = np.concatenate([statistic.resampled(weights) for weights in drawn_rows(statistic.rows, resamples, seed)])
    if statistic.rows < 2 or np.ptp(draws) < _TINY:
        return _unvaried(value, statistic.rows, statistic.bounds)
    low, high = np.quantile(draws, _bca_shares(draws, value, statistic))
    smallest, largest = statistic.bounds
    return max(smallest, min(float(low), value)), min(largest, max(float(high), value))


def interval_of_mean(values: FloatArray, *, resamples: int = RESAMPLES, seed: int = 0) -> tuple[float, float] | None:
    """The bootstrap's interval of the mean of values that may be of any size, float64 ``[rows]``.

    None for fewer than two rows. Where all are equal, the interval has no width: without bounds
    nothing says how far other rows may lie off.
    """
    if len(values) < 2:
        return None
    if np.ptp(values) < _TINY:
        return float(values.min()), float(values.max())
    return bootstrap(Mean(values, (-math.inf, math.inf)), resamples=resamples, seed=seed)


def _bca_shares(draws: FloatArray, value: float, statistic: Statistic) -> tuple[float, float]:
    """Which quantiles of the draws bound the interval."""
    from scipy.special import ndtr, ndtri, stdtrit

    n = statistic.rows
    point = math.sqrt(n / (n - 1)) * float(stdtrit(n - 1, 0.975)) if _is_mean(statistic) else Z
    below = float(np.mean(draws < value - _TINY) + np.mean(np.abs(draws - value) <= _TINY) / 2)
    bias = float(ndtri(np.clip(below, 1 / (len(draws) + 1), len(draws) / (len(draws) + 1))))
    without = statistic.leave_one_out()
    from_mean = without.mean() - without
    spread = float(np.sum(from_mean**2)) ** 1.5
    acceleration = float(np.sum(from_mean**3)) / (6 * spread) if spread > 0 else 0.0
    shares = []
    for z in (-point, point):
        scale = 1 - acceleration * (bias + z)
        moved = bias + (bias + z) / scale if scale > 0 else z
        shares.append(float(ndtr(moved)))
    return shares[0], shares[1]


def _is_mean(statistic: Statistic) -> bool:
    if isinstance(statistic, Minus):
        return _is_mean(statistic.left) and _is_mean(statistic.right)
    return isinstance(statistic, Mean)


def _unvaried(value: float, n: int, bounds: tuple[float, float]) -> tuple[float, float]:
    """The interval when every row gave the same: a bootstrap would claim certainty.

    Wilson's interval for "0 of n rows differ" says what share of all rows may yet differ; each of
    those may lie as far off as the bounds allow (or as far as zero, where there is no upper bound).
    """
    differing = Z * Z / (n + Z * Z)
    smallest, largest = bounds
    if math.isinf(largest):
        largest = 2 * value - smallest
    return value - differing * (value - smallest), value + differing * (largest - value)


def drawn_rows(n: int, resamples: int, seed: int) -> Iterator[FloatArray]:
    """How often each row is drawn when n rows are drawn with replacement: blocks of float64 ``[draws, n]``.

    The same seed gives the same draws, so two models measured apart are resampled alike.
    """
    random = np.random.default_rng(seed)
    at_once = max(1, _CELLS_AT_ONCE // n)
    for start in range(0, resamples, at_once):
        draws = min(at_once, resamples - start)
        rows = random.integers(0, n, size=(draws, n)) + (np.arange(draws) * n)[:, None]
        yield np.bincount(rows.ravel(), minlength=draws * n).reshape(draws, n).astype(np.float64)
