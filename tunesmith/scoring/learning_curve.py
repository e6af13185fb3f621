"""The learning curve: how the error falls with the rows trained on, and what more rows are worth.

The mean error of trainings with n rows is taken for an inverse power law with a floor, err(n) = a + b (n + d)^-c: C.
Cortes et al., "Learning curves: asymptotic values and rate of convergence", NIPS 1993; for forecasts from small samples
R. Figueroa et al., "Predicting sample size required for classification performance", BMC Medical Informatics and
Decision Making 12:8 (2012); what fits when, the shift d ("pow4") for curves that fall slowly while rows are few, and
that no one law always does: T. Viering and M. Loog, "The shape of learning curves: a review", IEEE TPAMI 45 (2023).

A few noisy points cannot tell floor and exponent apart, and an interval round the best fit alone would be far too
narrow, as is that of a bootstrap, which refits the one law that a resample likes best. So every law of the family is
weighed by how likely it makes what was measured (Bayes' rule), and the interval is that of all of them together. It
holds:

- the noise of the measured rows, which all trainings share, so that the level is less certain than the fall;
- the noise of a training: another draw of as many rows gives another model;
- that floor and exponent are not known, and that the law itself is off by some per cent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tunesmith.scoring.statistic import FloatArray

#: Each exponent and each floor (as a share of the error at the largest size) is as likely as the others before
#: anything is measured. Exponents of 0.07 to 0.5 are common (J. Hestness et al., arXiv 1712.00409, 2017) where rows are
#: many. With about one row a label the error falls ever faster for a while, nearly as an exponential: together with a
#: floor only a high exponent and a shift can say so, and without them the floor would be taken for none.
EXPONENTS = np.linspace(0.05, 3.0, 60)
FLOORS = np.linspace(0.0, 0.98, 29)
#: Each shift is as likely too, as a share of the largest size.
SHIFTS = np.array([0.0, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0])
#: How much a training's error varies with the draw of its rows, as a share of the error; each as likely.
DRAW_NOISE = np.geomspace(0.01, 0.25, 9)
#: By how much the mean error at a size may be off any such law, as a share of it; the further beyond what was
#: measured, the more: by this much for each doubling, independently.
OFF_THE_LAW = 0.02
#: Sizes that a fit needs.
FEWEST_SIZES = 3
DRAWS = 2000
#: So many laws are proposed for each that is kept, with so many times the variance.
PROPOSED, WIDER = 4, 1.5


@dataclass(frozen=True)
class Point:
    """One training: how many ``rows`` it had, and what each measured row scored, float64 ``[measured rows]``, 0 to 1.

    All points of a curve are measured on the same rows in the same order.
    """

    rows: int
    scores: FloatArray


@dataclass(frozen=True)
class Expected:
    """A forecast with its 95% interval; between 0 and 1, or a difference of such."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """All laws that go with what was measured: as many draws of each parameter, float64 ``[draws]``.

    ``largest``: the rows of the largest training; ``error``: the mean error there; ``floor``: what of this no number of
    rows takes away, as a share; ``exponent``; ``shift``: as a share of the largest; ``noise``: of one training, as a
    share of its error; ``off``: a standard normal number a draw, how far the law is off beyond what was measured.
    """

    largest: int
    error: FloatArray
    floor: FloatArray
    exponent: FloatArray
    shift: FloatArray
    noise: FloatArray
    off: FloatArray
    seed: int = 0

    def mean_errors(self, rows: float) -> FloatArray:
        """The mean error of trainings with so many rows, under each law: float64 ``[draws]``."""
        ratio = rows / self.largest
        fallen: FloatArray = self.error * _falls(ratio, self.floor, self.exponent, self.shift)
        if ratio > 1:
            fallen = fallen * np.exp(OFF_THE_LAW * math.sqrt(math.log2(ratio)) * self.off)
        return np.clip(fallen, 0.0, 1.0)

    def left(self, ratio: FloatArray | float) -> FloatArray:
        """What is left of the error above the floor when rows are ``ratio`` times as many: ``[..., draws]``."""
        return _falls(ratio, np.array(0.0), self.exponent, self.shift)

    def score(self, rows: float) -> Expected:
        """What one training with so many rows will score on new rows of the same kind."""
        errors = self.mean_errors(rows)
        return expected(np.clip(1 - errors * (1 + self.noise * self._training), 0.0, 1.0))

    def gain(self, more: float) -> Expected:
        """What ``more`` rows in place of the largest training's bring to the mean score of trainings."""
        return expected(self.mean_errors(self.largest) - self.mean_errors(more))

    @cached_property
    def _training(self) -> FloatArray:
        return np.random.default_rng([self.seed, 1]).standard_normal(len(self.error))


def expected(draws: FloatArray) -> Expected:
    """The median of the draws and their 95% interval."""
    low, value, high = np.quantile(draws, [0.025, 0.5, 0.975])
    return Expected(float(value), float(low), float(high))


def fit(points: Sequence[Point], *, draws: int = DRAWS, seed: int = 0) -> LearningCurve:
    """Weigh the laws by what was measured, and draw from them.

    Raises ValueError for fewer than three sizes, no measured rows, or points that are not measured on as many rows.
    """
    sizes = np.array([point.rows for point in points], dtype=np.float64)
    if len(set(sizes)) < FEWEST_SIZES:
        raise ValueError(f"a learning curve needs {FEWEST_SIZES} sizes, and there are {len(set(sizes))}")
    measured = len(points[0].scores)
    if measured < 1 or any(len(point.scores) != measured for point in points):
        raise ValueError("all points of a learning curve are measured on the same rows")
    errors = np.array([1 - point.scores for point in points])  # [points, measured rows]
    random = np.random.default_rng(seed)
    found = _proposed(_Measured.of(errors, sizes), draws, random)
    return LearningCurve(int(sizes.max()), *found, random.standard_normal(draws), seed)


@dataclass(frozen=True, eq=False)
class _Measured:
    """``sizes`` and ``means`` of the errors ``[points]`` over so many ``rows``.

    ``dispersion``: the errors' variance as a share of that of errors of 0 and 1 with the same mean; ``shared``: the
    correlation of two points over the rows, taken to be the same for every pair: rows are hard or easy for all.
    """

    sizes: FloatArray
    means: FloatArray
    rows: int
    dispersion: float
    shared: float

    @classmethod
    def of(cls, errors: FloatArray, sizes: FloatArray) -> _Measured:
        means = errors.mean(axis=1)
        most = float((means * (1 - means)).sum())
        dispersion = float(errors.var(axis=1).sum()) / most if most > 0 else 1.0
        return cls(sizes, means, errors.shape[1], max(dispersion, 1e-3), _correlation(errors))

    def covariance(self, expected: FloatArray, noise: FloatArray) -> FloatArray:
        """How the points' means vary about ``expected`` ``[draws, points]``: ``[draws, points, points]``.

        ``noise`` ``[draws]`` is that of a training, as a share of its error.
        """
        # half a row more, so that a point without an error is not certain
        variance = self.dispersion * (expected * (1 - expected) / self.rows + 0.25 / self.rows**2)
        spread = np.sqrt(variance)
        found: FloatArray = self.shared * spread[:, :, None] * spread[:, None, :]
        same_size = self.sizes[:, None] == self.sizes[None, :]
        found += OFF_THE_LAW**2 * expected[:, :, None] * expected[:, None, :] * same_size
        own = (1 - self.shared) * variance + (noise[:, None] * expected) ** 2
        found[:, np.arange(len(self.means)), np.arange(len(self.means))] += own
        return found


def _correlation(errors: FloatArray) -> float:
    """The mean correlation of two points over the measured rows, in [0, 0.99]."""
    centred = errors - errors.mean(axis=1, keepdims=True)
    norms = np.sqrt((centred**2).sum(axis=1))
    varied = norms > 0
    if varied.sum() < 2:
        return 0.0
    unit = centred[varied] / norms[varied, None]
    pairs = unit @ unit.T
    count = len(unit) * (len(unit) - 1)
    return float(np.clip((pairs.sum() - np.trace(pairs)) / count, 0.0, 0.99))


def _proposed(
    measured: _Measured, draws: int, random: np.random.Generator
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Draws of error, floor, exponent, shift and noise, float64 ``[draws]`` each (sampling, importance, resampling).

    They are proposed with a covariance that does not depend on the law, which the error at the largest size can be
    integrated out of, and kept by how much likelier the law's own covariance makes what was measured.
    """
    law = _law(measured.sizes)  # [laws, points]
    smoothed = (measured.means * measured.rows + 1) / (measured.rows + 2)
    wide = WIDER * measured.covariance(np.tile(smoothed, (len(DRAW_NOISE), 1)), DRAW_NOISE)
    found = [_weigh(law, measured.means, one) for one in wide]
    weight = np.array([one.evidence for one in found])  # [noises, laws], logarithms
    chance = np.exp(weight - weight.max())
    chosen = random.choice(chance.size, size=PROPOSED * draws, p=(chance / chance.sum()).ravel())
    noise, which = np.divmod(chosen, chance.shape[1])
    mean, spread = (np.array([getattr(one, name) for one in found])[noise, which] for name in ("mean", "spread"))
    error = _within_bounds(mean, spread, random)
    expected = np.clip(error[:, None] * law[which], 1e-9, 1 - 1e-9)
    off = measured.means - expected
    own = measured.covariance(expected, DRAW_NOISE[noise])
    proposed = np.concatenate([_log_density(off, one[None])[None] for one in wide])  # [noises, draws]
    likelier = _log_density(off, own) - proposed[noise, np.arange(len(noise))]
    share = np.exp(likelier - likelier.max())
    kept = random.choice(len(chosen), size=draws, p=share / share.sum())
    floor, exponent, shift = (values[which[kept]] for values in _grid())
    floor, exponent = _between(floor, FLOORS, random), _between(exponent, EXPONENTS, random)
    return error[kept], floor, exponent, shift, DRAW_NOISE[noise[kept]]


def _log_density(off: FloatArray, covariance: FloatArray) -> FloatArray:
    """The logarithm of the normal density ``[draws]``, but for a constant; ``off`` ``[draws, points]``.

    ``covariance``: one for all, or one a draw, ``[1 or draws, points, points]``.
    """
    root = np.linalg.cholesky(covariance)
    one = len(root) == 1
    whitened = np.linalg.solve(root[0], off.T).T if one else np.linalg.solve(root, off[:, :, None])[:, :, 0]
    diagonal = np.diagonal(root, axis1=1, axis2=2)
    density: FloatArray = -np.log(diagonal).sum(axis=1) - (whitened**2).sum(axis=1) / 2
    return density


def _falls(ratio: FloatArray | float, floor: FloatArray, exponent: FloatArray, shift: FloatArray) -> FloatArray:
    """The error at a size as a share of that at the largest; ``ratio`` is the size over the largest."""
    found: FloatArray = floor + (1 - floor) * ((ratio + shift) / (1 + shift)) ** -exponent
    return found


def _grid() -> list[FloatArray]:
    """Floor, exponent and shift of each law, float64 ``[laws]``."""
    return [values.ravel() for values in np.meshgrid(FLOORS, EXPONENTS, SHIFTS, indexing="ij")]


def _law(sizes: FloatArray) -> FloatArray:
    """How many times the largest size's error each law expects at each size: float64 ``[laws, points]``."""
    return _falls(sizes / sizes.max(), *(values[:, None] for values in _grid()))


@dataclass(frozen=True, eq=False)
class _Weighed:
    """By law: the logarithm of its evidence, and the mean and standard deviation of the error at the largest size."""

    evidence: FloatArray
    mean: FloatArray
    spread: FloatArray


def _weigh(law: FloatArray, means: FloatArray, covariance: FloatArray) -> _Weighed:
    """Each law's evidence with the error at the largest size, flat before, integrated out (linear regression)."""
    from scipy.special import log_ndtr

    root = np.linalg.cholesky(covariance)
    target = np.linalg.solve(root, means)  # [points]
    whitened = np.linalg.solve(root, law.T)  # [points, laws]
    precision = (whitened**2).sum(axis=0)
    mean = whitened.T @ target / precision
    spread = 1 / np.sqrt(precision)
    left = target @ target - mean**2 * precision
    evidence = -np.log(np.diag(root)).sum() - left / 2 + np.log(spread) + log_ndtr(mean / spread)  # it is above 0
    return _Weighed(evidence, mean, spread)


def _within_bounds(mean: FloatArray, spread: FloatArray, random: np.random.Generator) -> FloatArray:
    """Normal numbers that lie between 0 and 1, by the inverse of their distribution."""
    from scipy.special import ndtr, ndtri

    low, high = ndtr(-mean / spread), ndtr((1 - mean) / spread)
    drawn = low + random.random(len(mean)) * (high - low)
    found: FloatArray = np.clip(mean + spread * ndtri(np.clip(drawn, 1e-12, 1 - 1e-12)), 0.0, 1.0)
    return found


def _between(values: FloatArray, grid: FloatArray, random: np.random.Generator) -> FloatArray:
    """Spread the values of an even grid over their cells."""
    cell = grid[1] - grid[0]
    spread: FloatArray = np.clip(values + cell * (random.random(len(values)) - 0.5), grid[0], grid[-1])
    return spread
