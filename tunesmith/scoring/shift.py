"""Do new values come from the same source as those of a reference: how far they have moved, and whether that is chance.

The size is the population stability index; its customary marks are 0.1 (moderate) and 0.25 (large). Under no change
it is not 0 but about (bins - 1) (1/n + 1/m), for ``n`` new and ``m`` reference values (B. Yurdakul and J. Naranjo,
"Statistical properties of the population stability index", Journal of Risk Model Validation 14 (2020)), so that much is
taken off. The tests are two-sample ones, since a reference is a sample too: Kolmogorov and Smirnov's for numbers (with
ties it errs to the safe side), and the chi-squared test of homogeneity for kinds.

All of it takes the values as independent: a client that sends one text a thousand times is a change.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tunesmith.scoring.statistic import FloatArray, IntArray

#: The reference is cut at its deciles.
BINS = 10
#: Kinds that are expected fewer times than this in either sample are counted together: with fewer the chi-squared test
#: is no test (W. G. Cochran, "Some methods for strengthening the common chi-squared tests", Biometrics 10 (1954)).
FEWEST_EXPECTED = 5.0
#: Stands for the kinds that are counted together.
REST = "(others)"
#: What the share of an empty bin is taken for, in counts.
_HALF = 0.5


@dataclass(frozen=True)
class Shift:
    """``index``: the population stability index, less what chance gives, never below 0. ``p``: of no change."""

    index: float
    p: float
    n: int
    reference: int


def of_numbers(new: FloatArray, reference: FloatArray) -> Shift:
    """Numbers ``[n]`` against those of a reference ``[m]``. Raises ValueError where either is empty."""
    if len(new) == 0 or len(reference) == 0:
        raise ValueError("no values")
    edges = np.unique(np.quantile(reference, np.arange(1, BINS) / BINS))
    counts = [
        np.bincount(np.searchsorted(edges, one, side="left"), minlength=len(edges) + 1) for one in (new, reference)
    ]
    return Shift(_index(counts[0], counts[1]), _kolmogorov_smirnov(new, reference), len(new), len(reference))


def _kolmogorov_smirnov(new: FloatArray, reference: FloatArray) -> float:
    """The p-value of the largest distance between both distributions, taken as that of one sample of n m / (n + m):
    so does scipy's ``ks_2samp`` for large samples, and it is defined for one value too."""
    from scipy.stats import kstwo

    both = np.concatenate([new, reference])
    shares = [np.searchsorted(np.sort(one), both, side="right") / len(one) for one in (new, reference)]
    size = len(new) * len(reference) / (len(new) + len(reference))
    return float(np.clip(kstwo.sf(np.abs(shares[0] - shares[1]).max(), max(1, round(size))), 0.0, 1.0))


def of_kinds(new: Sequence[str], reference: Sequence[str]) -> Shift:
    """Kinds (labels, languages) against those of a reference. Raises ValueError where either is empty."""
    if not new or not reference:
        raise ValueError("no values")
    names, first, second = grouped(new, reference)
    if len(names) < 2:
        return Shift(0.0, 1.0, len(new), len(reference))
    from scipy.stats import chi2_contingency

    p = float(chi2_contingency(np.stack([first, second]), correction=False).pvalue)
    return Shift(_index(first, second), p, len(new), len(reference))


def grouped(new: Sequence[str], reference: Sequence[str]) -> tuple[list[str], IntArray, IntArray]:
    """The kinds that are frequent enough to be told apart, the rest as one, and how often each is in both samples."""
    ours, theirs = Counter(new), Counter(reference)
    total, smaller = len(new) + len(reference), min(len(new), len(reference))
    names: list[str] = []
    rest = [0, 0]
    for name in sorted({*ours, *theirs}):
        if (ours[name] + theirs[name]) * smaller / total >= FEWEST_EXPECTED:
            names.append(name)
        else:
            rest = [rest[0] + ours[name], rest[1] + theirs[name]]
    first, second = [ours[name] for name in names], [theirs[name] for name in names]
    if sum(rest):
        names, first, second = [*names, REST], [*first, rest[0]], [*second, rest[1]]
    return names, np.array(first, np.int64), np.array(second, np.int64)


def _index(new: IntArray, reference: IntArray) -> float:
    shares = [np.maximum(counts, _HALF) / counts.sum() for counts in (new, reference)]
    index = float(((shares[0] - shares[1]) * np.log(shares[0] / shares[1])).sum())
    by_chance = (len(new) - 1) * (1 / int(new.sum()) + 1 / int(reference.sum()))
    return max(0.0, index - by_chance) if math.isfinite(index) else 0.0
