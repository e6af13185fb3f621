"""Is one model better than another on the same rows: the difference, its interval and a p-value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tunesmith.scoring.intervals import RESAMPLES, bootstrap
from tunesmith.scoring.paired_intervals import interval_of_difference
from tunesmith.scoring.statistic import FloatArray, MacroF1, Mean, Minus, Statistic

_CELLS_AT_ONCE = 2_000_000
_TINY = 1e-12
#: Up to this many rows that differ, all sign patterns are tried (2**13 = 8,192).
_EXACT_UP_TO = 13

Test = Literal["mcnemar_exact", "sign_flip", "label_swap"]


@dataclass(frozen=True, slots=True)
class Difference:
    """``value`` is left minus right, with its 95% interval; ``p`` is two-sided, of "no difference"."""

    metric: str
    left: str
    right: str
    value: float
    n: int
    low: float
    high: float
    p: float
    test: Test

    @property
    def shown(self) -> Literal["better", "worse", "not_shown"]:
        """What the rows show of left against right: both the interval and the test must say so."""
        if self.p < 0.05 and self.low > 0:
            return "better"
        if self.p < 0.05 and self.high < 0:
            return "worse"
        return "not_shown"


def difference(
    metric: str,
    left: tuple[str, Statistic],
    right: tuple[str, Statistic],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Difference:
    """Compare two models by one metric on the same rows. Each side is a name and its statistic.

    The interval is that of `paired_intervals`, of macro-F1 a bootstrap of rows drawn in pairs.
    Raises ValueError when the rows do not match.
    """
    (left_name, ours), (right_name, theirs) = left, right
    if ours.rows != theirs.rows:
        raise ValueError(f"{metric}: {ours.rows} rows cannot be paired with {theirs.rows}")
    if isinstance(ours, Mean) and isinstance(theirs, Mean):
        low, high = interval_of_difference(ours, theirs, resamples=resamples, seed=seed)
    else:
        low, high = bootstrap(Minus(ours, theirs), resamples=resamples, seed=seed)
    p, test = _p_value(ours, theirs, resamples, seed)
    value = ours.estimate() - theirs.estimate()
    return Difference(metric, left_name, right_name, value, ours.rows, low, high, p, test)


def _p_value(ours: Statistic, theirs: Statistic, resamples: int, seed: int) -> tuple[float, Test]:
    if isinstance(ours, Mean) and isinstance(theirs, Mean):
        if ours.binary and theirs.binary:
            return mcnemar(ours.values, theirs.values), "mcnemar_exact"
        return sign_flip(ours.values - theirs.values, resamples=resamples, seed=seed), "sign_flip"
    if isinstance(ours, MacroF1) and isinstance(theirs, MacroF1):
        return label_swap(ours, theirs, resamples=resamples, seed=seed), "label_swap"
    raise TypeError(f"{type(ours).__name__} and {type(theirs).__name__} cannot be compared")


def mcnemar(ours: FloatArray, theirs: FloatArray) -> float:
    """Exact McNemar test on 0/1 values ``[rows]``: a binomial test on the rows where just one is right.

    Q. McNemar, Psychometrika 12 (1947); the exact form is in Fagerland, Lydersen and Laake, BMC Medical
    Research Methodology 13:91 (2013).
    """
    from scipy.stats import binomtest

    wins = int(np.sum(ours > theirs))
    losses = int(np.sum(ours < theirs))
    return float(binomtest(wins, wins + losses, 0.5).pvalue) if wins + losses else 1.0


def sign_flip(differences: FloatArray, *, resamples: int = RESAMPLES, seed: int = 0) -> float:
    """Paired permutation test of the mean: under "no difference" each row's sign is a coin toss.

    Exact when few rows differ, else over random signs with (hits + 1) / (draws + 1), which never gives
    a p of zero: Phipson and Smyth, Statistical Applications in Genetics and Molecular Biology 9:39 (2010).
    """
    moved = differences[np.abs(differences) > _TINY]
    if len(moved) == 0:
        return 1.0
    observed = abs(moved.sum()) - _TINY * len(moved)
    if len(moved) <= _EXACT_UP_TO:
        patterns = (np.arange(2 ** len(moved))[:, None] >> np.arange(len(moved))) & 1
        return float(np.mean(np.abs((1.0 - 2.0 * patterns) @ moved) >= observed))
    random = np.random.default_rng(seed)
    at_once = max(1, _CELLS_AT_ONCE // len(moved))
    hits = 0
    for start in range(0, resamples, at_once):
        signs = 1.0 - 2.0 * random.integers(0, 2, size=(min(at_once, resamples - start), len(moved)))
        hits += int(np.sum(np.abs(signs @ moved) >= observed))
    return (hits + 1) / (resamples + 1)


def label_swap(ours: MacroF1, theirs: MacroF1, *, resamples: int = RESAMPLES, seed: int = 0) -> float:
    """Approximate randomization for macro-F1: under "no difference" each row's two answers may swap.

    A. Yeh, "More accurate tests for the statistical significance of result differences", COLING 2000.
    """
    both = MacroF1(
        np.concatenate([ours.references, theirs.references]),
        np.concatenate([ours.answers, theirs.answers]),
        max(ours.labels, theirs.labels),
    )
    observed = abs(ours.estimate() - theirs.estimate()) - _TINY
    random = np.random.default_rng(seed)
    at_once = max(1, _CELLS_AT_ONCE // ours.rows)
    hits = 0
    for start in range(0, resamples, at_once):
        kept = random.integers(0, 2, size=(min(at_once, resamples - start), ours.rows)).astype(np.float64)
        one = both.resampled(np.concatenate([kept, 1 - kept], axis=1))
        other = both.resampled(np.concatenate([1 - kept, kept], axis=1))
        hits += int(np.sum(np.abs(one - other) >= observed))
    return (hits + 1) / (resamples + 1)
