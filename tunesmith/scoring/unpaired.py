"""Do two sets of rows differ in their mean: for a slice held against the other rows."""

from __future__ import annotations

import numpy as np

from tunesmith.scoring.statistic import FloatArray

_TINY = 1e-12
_CELLS_AT_ONCE = 2_000_000


def two_samples(some: FloatArray, others: FloatArray, *, resamples: int, seed: int) -> float:
    """Two-sided p-value of "the same mean" for values ``[n]`` and ``[m]`` of different rows.

    Of zeros and ones by Fisher's exact test (R. A. Fisher, Journal of the Royal Statistical Society 85, 1922), of
    other values by random exchanges between the two sets, with (hits + 1) / (draws + 1) as in `paired.sign_flip`.
    """
    if not len(some) or not len(others):
        return 1.0
    both = np.concatenate([some, others])
    if np.isin(both, (0.0, 1.0)).all():
        from scipy.stats import fisher_exact

        table = [[int(rows.sum()), len(rows) - int(rows.sum())] for rows in (some, others)]
        return float(fisher_exact(table).pvalue)
    # The mean of some follows from their sum, since the sum of both stays.
    expected = both.mean() * len(some)
    observed = abs(float(some.sum()) - expected) - _TINY * len(both)
    random = np.random.default_rng(seed)
    at_once = max(1, _CELLS_AT_ONCE // len(both))
    hits = 0
    for start in range(0, resamples, at_once):
        order = random.permuted(np.tile(both, (min(at_once, resamples - start), 1)), axis=1)
        hits += int(np.sum(np.abs(order[:, : len(some)].sum(axis=1) - expected) >= observed))
    return (hits + 1) / (resamples + 1)
