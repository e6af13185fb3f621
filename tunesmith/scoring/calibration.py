"""Does a confidence mean what it says, and from which confidence on are answers right often enough?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tunesmith.example import Score
from tunesmith.scoring.intervals import RESAMPLES, score, wilson
from tunesmith.scoring.statistic import FloatArray, Mean

#: Rows in a bin of the reliability diagram at least, and bins at most.
FEWEST, BINS = 10, 10


@dataclass(frozen=True)
class Bin:
    """Rows of neighbouring confidence: their mean confidence, the share that is right, its 95% interval (Wilson)."""

    n: int
    confidence: float
    right: float
    low: float
    high: float


def reliability(confidence: FloatArray, right: FloatArray) -> list[Bin]:
    """The reliability diagram of confidences and zeros or ones ``[rows]``, in bins of about equal numbers of rows.

    Rows of equal confidence share a bin. Bins of equal width would leave most of them nearly empty.
    """
    count = min(BINS, len(confidence) // FEWEST)
    if count == 0:
        return []
    order = np.argsort(confidence, kind="stable")
    ordered = confidence[order]
    cuts = [0]
    for wanted in range(1, count):
        place = int(np.searchsorted(ordered, ordered[wanted * len(ordered) // count], side="left"))
        if place - cuts[-1] >= FEWEST and len(ordered) - place >= FEWEST:
            cuts.append(place)
    return [_bin(ordered[part], right[order][part]) for part in map(slice, cuts, [*cuts[1:], len(ordered)])]


def _bin(confidence: FloatArray, right: FloatArray) -> Bin:
    low, high = wilson(float(right.sum()), len(right))
    return Bin(len(right), float(confidence.mean()), float(right.mean()), low, high)


def calibration_error(bins: Sequence[Bin]) -> float:
    """The expected calibration error: by how much confidence and share right differ in a bin, the mean over rows.

    Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015. Of few
    rows it is too large by chance; `overconfidence` is not.
    """
    return sum(one.n * abs(one.confidence - one.right) for one in bins) / sum(one.n for one in bins)


def overconfidence(confidence: FloatArray, right: FloatArray, *, resamples: int = RESAMPLES, seed: int = 0) -> Score:
    """The mean confidence less the share that is right, with its bootstrap interval: more than 0 is too sure."""
    return score("overconfidence", Mean(confidence - right, (-1.0, 1.0)), resamples=resamples, seed=seed)


def threshold_for(confidence: FloatArray, right: FloatArray, wanted: float) -> float | None:
    """The lowest confidence from which on a share of ``wanted`` (0 to 1) of the answers is right, by `platt`.

    0 where all of them together are right that often, None where no confidence is high enough. The share above each
    confidence is not simply counted: the best of many counts is a lucky one.
    """
    if not len(confidence) or not right.any():
        return None
    if right.mean() >= wanted:
        return 0.0
    order = np.argsort(-confidence, kind="stable")
    ordered = confidence[order]
    shares = np.cumsum(platt(confidence, right)[order]) / np.arange(1, len(order) + 1)
    last_of_equals = np.append(ordered[1:] != ordered[:-1], True)
    good = np.flatnonzero(last_of_equals & (shares >= wanted))
    return float(ordered[good[-1]]) if len(good) else None


def platt(confidence: FloatArray, right: FloatArray) -> FloatArray:
    """The chance that each answer is right, ``[rows]``: a logistic curve of the confidence's log-odds.

    J. Platt, "Probabilistic outputs for support vector machines", 1999, with his smoothed targets, so that the
    curve stays finite where confidence parts right from wrong. It may not fall as confidence rises.
    """
    from scipy.optimize import minimize
    from scipy.special import expit, logit

    odds = logit(np.clip(confidence, 1e-6, 1 - 1e-6))
    hits, misses = right.sum(), len(right) - right.sum()
    target = np.where(right > 0, (hits + 1) / (hits + 2), 1 / (misses + 2))

    def loss(curve: FloatArray) -> tuple[float, FloatArray]:
        """Cross-entropy and its gradient, for slope and offset."""
        z = curve[0] * odds + curve[1]
        off = expit(z) - target
        total = float(np.sum(np.logaddexp(0, z) - target * z))
        return total, np.array([float(off @ odds), float(off.sum())])

    found = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[(0, None), (None, None)])
    chances: FloatArray = expit(found.x[0] * odds + found.x[1])
    return chances
