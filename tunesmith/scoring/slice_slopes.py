"""Where more rows bring most: how fast the error of each slice falls, and what so many labels there are worth.

A slice has few measured rows, and the slope of its own is mostly noise. So slopes are drawn towards their mean by as
much as their noise asks for: the random-effects model of R. DerSimonian and N. Laird, "Meta-analysis in clinical
trials", Controlled Clinical Trials 7 (1986), with each slice's estimate shrunk as in B. Efron and C. Morris, "Data
analysis using Stein's estimator and its generalizations", JASA 70 (1975).

What it takes for granted: the rows of a slice learn from rows of their own slice alone, and as fast as the whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tunesmith.scoring.learning_curve import Expected, LearningCurve, Point, expected
from tunesmith.scoring.statistic import FloatArray, IntArray

#: Of a slice with fewer measured rows, or fewer rows to train on, nothing is said.
FEWEST = 5


@dataclass(frozen=True)
class Slice:
    """``trained``: its rows in the largest training; ``measured``: the places of its measured rows, int64."""

    kind: str
    name: str
    trained: int
    measured: IntArray


@dataclass(frozen=True)
class Worth:
    """What more labels in one slice bring to the score of all rows, and that less what they bring spread evenly.

    ``shown``: whether the slice is shown to be worth more than spreading them.
    """

    kind: str
    name: str
    trained: int
    measured: int
    gain: Expected
    over_even: Expected

    @property
    def shown(self) -> bool:
        return self.over_even.low > 0


def worth(
    points: Sequence[Point], curve: LearningCurve, slices: Sequence[Slice], labels: int, *, seed: int = 0
) -> list[Worth]:
    """What ``labels`` more rows of each slice are worth, the most first; those too small to tell are left out.

    Slices are compared within their kind, whose slopes are drawn towards each other.
    """
    kinds: dict[str, list[Slice]] = {}
    for one in slices:
        if one.trained >= FEWEST and len(one.measured) >= FEWEST:
            kinds.setdefault(one.kind, []).append(one)
    found = [each for one in kinds.values() if len(one) > 1 for each in _of_kind(points, curve, one, labels, seed)]
    return sorted(found, key=lambda one: -one.gain.value)


def _of_kind(
    points: Sequence[Point], curve: LearningCurve, slices: Sequence[Slice], labels: int, seed: int
) -> list[Worth]:
    slopes = _row_slopes(points, curve)
    means = np.array([slopes[one.measured].mean() for one in slices])
    errors = _standard_errors(slopes, slices)
    mean, between = _random_effects(means, errors)
    random = np.random.default_rng(seed)
    draws = len(curve.error)
    centre = mean + random.standard_normal(draws) / np.sqrt((1 / (errors**2 + between)).sum())  # [draws]
    kept = between / (between + errors**2)  # the share of a slice's own slope that is not noise, [slices]
    spread = np.sqrt(kept) * errors
    noise = random.standard_normal((len(slices), draws))
    slope = kept[:, None] * means[:, None] + (1 - kept[:, None]) * centre + spread[:, None] * noise
    slope = np.maximum(0, slope)  # more rows do no harm
    share = np.array([len(one.measured) for one in slices]) / len(slopes)
    trained = np.array([one.trained for one in slices])
    gains = share[:, None] * slope * (1 - curve.left(1 + labels / trained[:, None]))  # [slices, draws]
    even = np.maximum(0, centre) * (1 - curve.left(1 + labels / curve.largest))
    return [
        Worth(one.kind, one.name, one.trained, len(one.measured), expected(gain), expected(gain - even))
        for one, gain in zip(slices, gains, strict=True)
    ]


def _row_slopes(points: Sequence[Point], curve: LearningCurve) -> FloatArray:
    """What each measured row's error will lose from the largest size on, by least squares on how the whole curve falls:
    float64 ``[rows]``."""
    sizes = np.array([point.rows for point in points], dtype=np.float64)
    x = np.median(curve.left(sizes[:, None] / sizes.max()), axis=1)  # 1 at the largest size
    centred = x - x.mean()
    errors = np.array([1 - point.scores for point in points])
    slopes: FloatArray = centred @ errors / (centred**2).sum()
    return slopes


def _standard_errors(slopes: FloatArray, slices: Sequence[Slice]) -> FloatArray:
    """Of the slices' mean slopes ``[slices]``: the spread of rows within a slice, pooled, so that few rows are not
    certain."""
    within = sum(float(((slopes[one.measured] - slopes[one.measured].mean()) ** 2).sum()) for one in slices)
    rows = sum(len(one.measured) for one in slices)
    variance = max(within / max(1, rows - len(slices)), 1e-9)
    return np.sqrt(variance / np.array([len(one.measured) for one in slices]))  # type: ignore[no-any-return]


def _random_effects(means: FloatArray, errors: FloatArray) -> tuple[float, float]:
    """The mean slope, and the variance between slices beyond their noise (not below 0)."""
    weight = 1 / errors**2
    fixed = float((weight * means).sum() / weight.sum())
    spread = float((weight * (means - fixed) ** 2).sum())
    scale = float(weight.sum() - (weight**2).sum() / weight.sum())
    between = max(0.0, (spread - (len(means) - 1)) / scale) if scale > 0 else 0.0
    again = 1 / (errors**2 + between)
    return float((again * means).sum() / again.sum()), between


def slices_of(
    trained: Mapping[str, Mapping[str, Sequence[str]]],
    measured: Mapping[str, Mapping[str, Sequence[str]]],
    place: Mapping[str, int],
) -> list[Slice]:
    """Slices from groups of ids by kind and name (`scoring.groups.members`); ``place``: of each measured id."""
    return [
        Slice(kind, name, len(trained.get(kind, {}).get(name, ())), np.array([place[id] for id in ids], dtype=np.int64))
        for kind, groups in measured.items()
        for name, ids in groups.items()
    ]
