"""Where the next labels bring most: the steep slice is found, and equal slices are not told apart."""

from __future__ import annotations

import numpy as np

from tunesmith.scoring.learning_curve import Point, fit
from tunesmith.scoring.slice_slopes import Slice, Worth, slices_of, worth

SIZES = (62, 125, 250, 500, 1000)
SLICES, ROWS_EACH = 8, 40


def found(slopes: list[float], seed: int, trained: int = 125) -> list[Worth]:
    """Slices of 40 measured rows each, whose errors fall from 0.45 by so much as n^-0.5 does."""
    random = np.random.default_rng(seed)
    hard = random.random((SLICES, ROWS_EACH))
    points = []
    for size in SIZES:
        left = (size / 1000) ** -0.5 - 1  # 0 at the largest size, 3 at the smallest
        error = np.array([0.15 + slope * left for slope in slopes])[:, None]
        wrong = 0.7 * hard + 0.3 * random.random(hard.shape) < error
        points.append(Point(size, 1.0 - wrong.ravel()))
    places = np.arange(SLICES * ROWS_EACH).reshape(SLICES, ROWS_EACH)
    cut = [Slice("label", str(number), trained, places[number]) for number in range(SLICES)]
    return worth(points, fit(points, draws=1000), cut, 50)


def test_the_slice_that_falls_steepest_is_named() -> None:
    first = [found([0.25] + [0.02] * 7, seed)[0] for seed in range(6)]
    assert [one.name for one in first] == ["0"] * 6
    assert sum(one.shown for one in first) >= 5


def test_a_slice_with_few_rows_to_train_on_gains_more_from_as_many_labels() -> None:
    many, few = (np.mean([one.gain.value for one in found([0.1] * 8, 0, trained)]) for trained in (400, 25))
    assert few > 2 * many


def test_equal_slices_are_seldom_told_apart() -> None:
    shown = [one.shown for seed in range(12) for one in found([0.08] * 8, seed)]
    assert len(shown) == 96
    assert np.mean(shown) <= 0.05


def test_slices_too_small_to_tell_are_left_out() -> None:
    places = {str(number): number for number in range(12)}
    cut = slices_of(
        {"label": {"a": ["x"] * 9, "b": ["x"] * 9, "c": ["x"] * 2}},
        {"label": {"a": list("01234"), "b": list("56789"), "c": ["10", "11"]}},
        places,
    )
    assert [(one.name, one.trained, len(one.measured)) for one in cut] == [("a", 9, 5), ("b", 9, 5), ("c", 2, 2)]
    random = np.random.default_rng(0)
    points = [Point(size, (random.random(12) < 0.7).astype(float)) for size in (5, 10, 20)]
    assert {one.name for one in worth(points, fit(points), cut, 50)} == {"a", "b"}
