"""Forecasts of a learning curve: their intervals hold what they promise, where the truth is made up."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import ndtri

from tunesmith.scoring.learning_curve import SHIFTS, LearningCurve, Point, fit

LARGEST = 1000
SHARES = (1 / 16, 1 / 16, 1 / 8, 1 / 8, 1 / 4, 1 / 4, 1 / 2, 1 / 2, 1)
#: How much two trainings agree on which rows are hard.
ALIKE = 0.6
Law = Callable[[float], float]


def measured(law: Law, noise: float, rows: int, random: np.random.Generator) -> list[Point]:
    """Trainings by a law: each errs by it but for its draw, on rows that are hard or easy for all of them."""
    hard = random.standard_normal(rows)
    found = []
    for share in SHARES:
        trained = int(share * LARGEST)
        error = float(np.clip(law(trained) * (1 + noise * random.standard_normal()), 1e-4, 0.95))
        wrong = np.sqrt(ALIKE) * hard + np.sqrt(1 - ALIKE) * random.standard_normal(rows) > ndtri(1 - error)
        found.append(Point(trained, 1.0 - wrong))
    return found


def drawn_law(random: np.random.Generator) -> tuple[Law, float]:
    """A law with errors below 0.9, each floor, exponent and shift as likely; and the noise of a training."""
    while True:
        exponent, floor, shift = random.uniform(0.05, 1.5), random.uniform(0, 0.98), random.choice(SHIFTS)
        error, noise = random.uniform(0.02, 0.4), float(np.exp(random.uniform(np.log(0.01), np.log(0.25))))

        def law(n: float, error=error, floor=floor, exponent=exponent, shift=shift) -> float:
            return float(error * (floor + (1 - floor) * ((n / LARGEST + shift) / (1 + shift)) ** -exponent))

        if law(LARGEST / 16) * (1 + 2 * noise) < 0.9:
            return law, noise


def coverage(simulations: int, rows: int, more: float, seed: int, draws: int = 500) -> tuple[float, float]:
    """The share of intervals that hold the score of one more training, and the gain."""
    random = np.random.default_rng(seed)
    scores = gains = 0
    for number in range(simulations):
        law, noise = drawn_law(random)
        curve = fit(measured(law, noise, rows, random), draws=draws, seed=number)
        truth = 1 - np.clip(law(more) * (1 + noise * random.standard_normal()), 0, 1)
        told, gain = curve.score(more), curve.gain(more)
        scores += told.low <= truth <= told.high
        gains += gain.low <= law(LARGEST) - law(more) <= gain.high
    return scores / simulations, gains / simulations


def test_ninety_five_per_cent_intervals_hold_the_truth() -> None:
    scores, gains = coverage(100, 200, 2 * LARGEST, seed=1)
    assert scores >= 0.88  # of 100 with a chance of 0.95: fewer once in 300
    assert gains >= 0.88


@pytest.mark.slow
@pytest.mark.parametrize("rows", [50, 200, 1000])
def test_ninety_five_per_cent_intervals_hold_the_truth_in_a_thousand_simulations(rows: int) -> None:
    """The score's are exact but for chance. The gain's hold more: they allow for a law that is off by some per cent."""
    scores, gains = coverage(1000, rows, 2 * LARGEST, seed=rows, draws=1000)
    assert 0.93 <= scores <= 0.97
    assert 0.94 <= gains <= 1


@pytest.mark.parametrize(
    "law",
    [
        lambda n: 0.05 + 0.4 * np.exp(-n / 300),
        lambda n: 0.45 - 0.04 * np.log2(n / 62),
        lambda n: 0.02 + 0.5 / (1 + (n / 150) ** 0.9),
    ],
    ids=["exponential", "logarithmic", "logistic"],
)
def test_curves_of_another_shape_are_mostly_held(law: Law) -> None:
    """Where the law is wrong no interval is sure; it is not far from what it says."""
    random = np.random.default_rng(3)
    held = 0
    for number in range(40):
        told = fit(measured(law, 0.03, 300, random), draws=500, seed=number).score(2 * LARGEST)
        held += told.low <= 1 - law(2 * LARGEST) * (1 + 0.03 * random.standard_normal()) <= told.high
    assert held >= 34


def one(law: Law, rows: int = 400, seed: int = 0) -> LearningCurve:
    return fit(measured(law, 0.02, rows, np.random.default_rng(seed)), seed=seed)


def test_a_steep_curve_is_shown_to_gain_and_a_flat_one_is_not() -> None:
    steep = one(lambda n: 0.15 * (n / LARGEST) ** -0.5).gain(2 * LARGEST)
    flat = one(lambda n: 0.3).gain(2 * LARGEST)
    assert steep.low > 0.01
    assert steep.low < 0.15 * (1 - 2**-0.5) < steep.high
    assert flat.low < 0.001
    assert flat.high < 0.03


def test_more_measured_rows_make_the_interval_narrower() -> None:
    widths = [told.high - told.low for told in (one(lambda n: 0.2, rows).score(1500) for rows in (40, 400, 4000))]
    assert widths == sorted(widths, reverse=True)


def test_further_off_is_less_certain() -> None:
    curve = one(lambda n: 0.1 + 0.1 * (n / LARGEST) ** -0.5)
    widths = [told.high - told.low for told in (curve.gain(LARGEST * times) for times in (1.5, 3, 10))]
    assert widths == sorted(widths)


def test_points_without_an_error_are_not_certain_and_stay_in_bounds() -> None:
    told = fit([Point(size, np.ones(30)) for size in (50, 100, 200)]).score(400)
    assert 0.8 < told.low < 0.999
    assert told.high <= 1


def test_scores_that_are_no_proportion_are_less_uncertain() -> None:
    random = np.random.default_rng(0)
    sizes = (100, 200, 400) * 4
    graded = [Point(size, np.clip(random.normal(0.7, 0.1, 100), 0, 1)) for size in sizes]
    right = [Point(size, (random.random(100) < 0.7).astype(float)) for size in sizes]
    assert fit(graded).error.std() < 0.6 * fit(right).error.std()


def test_the_same_points_and_seed_give_the_same_forecast() -> None:
    points = measured(lambda n: 0.2, 0.05, 100, np.random.default_rng(1))
    assert fit(points, seed=3).score(2000) == fit(points, seed=3).score(2000)


@pytest.mark.parametrize(
    "points",
    [
        [Point(10, np.ones(5)), Point(20, np.ones(5)), Point(20, np.ones(5))],
        [Point(10, np.ones(5)), Point(20, np.ones(4)), Point(40, np.ones(5))],
        [Point(10, np.ones(0)), Point(20, np.ones(0)), Point(40, np.ones(0))],
    ],
    ids=["two sizes", "other rows", "no rows"],
)
def test_what_is_no_curve_is_refused(points: list[Point]) -> None:
    with pytest.raises(ValueError, match="learning curve"):
        fit(points)
