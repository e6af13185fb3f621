"""Intervals of paired differences: known ones, what must always hold, and how often they hold the truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.scoring.intervals import Z
from tunesmith.scoring.paired import difference
from tunesmith.scoring.paired_intervals import interval_of_difference, of_proportions, of_sparse
from tunesmith.scoring.statistic import Mean

counts = st.integers(1, 300).flatmap(
    lambda n: st.integers(0, n).flatmap(lambda wins: st.tuples(st.just(wins), st.integers(0, n - wins), st.just(n)))
)


def test_tangos_interval_ends_where_mcnemars_statistic_is_at_its_point() -> None:
    # at no difference the score is (wins - losses) / sqrt(wins + losses)
    for wins, losses, clears in ((17, 8, False), (18, 7, True), (40, 20, True), (37, 23, False)):
        low, _ = of_proportions(wins, losses, 200)
        assert (low > 0) == clears == ((wins - losses) / (wins + losses) ** 0.5 > Z)


def test_where_no_row_differs_the_interval_is_wilsons_of_none() -> None:
    low, high = of_proportions(0, 0, 50)
    assert high == pytest.approx(Z * Z / (50 + Z * Z))
    assert low == pytest.approx(-high)
    assert of_sparse(np.zeros(50), (-1, 1))[1] > 0


@given(counts)
def test_tangos_interval_holds_the_difference_and_turns_around_with_the_sides(case: tuple[int, int, int]) -> None:
    wins, losses, n = case
    low, high = of_proportions(wins, losses, n)
    assert -1 <= low <= (wins - losses) / n <= high <= 1
    assert low < high
    assert of_proportions(losses, wins, n) == (pytest.approx(-high, abs=1e-6), pytest.approx(-low, abs=1e-6))


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=40))
def test_the_interval_of_sparse_differences_holds_their_mean(values: list[float]) -> None:
    low, high = of_sparse(np.array(values), (-1, 1))
    assert -1 <= low <= np.mean(values) + 1e-12
    assert np.mean(values) - 1e-12 <= high <= 1


@pytest.mark.parametrize(("rows", "differing"), [(100, 0.3), (200, 0.15), (400, 0.1)])
def test_differences_of_proportions_cover_the_truth_94_to_96_times_in_100(rows: int, differing: float) -> None:
    random = np.random.default_rng(2)
    cells = random.multinomial(rows, [0.6 * differing, 0.4 * differing, 1 - differing], 4000)
    found = [of_proportions(int(wins), int(losses), rows) for wins, losses, _ in cells]
    held = [low <= 0.2 * differing <= high for low, high in found]
    assert 0.935 <= np.mean(held) <= 0.965  # 94 to 96, and the chance of 4,000 draws


@pytest.mark.parametrize(("rows", "differing"), [(100, 0.2), (200, 0.15), (500, 0.06)])
def test_sparse_differences_of_other_scores_cover_the_truth_at_least_94_times_in_100(
    rows: int, differing: float
) -> None:
    random = np.random.default_rng(3)
    held = 0
    for _ in range(3000):
        sign = np.where(random.random(rows) < 0.6, 1, -1) * (random.random(rows) < differing)
        low, high = of_sparse(sign * random.beta(2, 2, rows), (-1, 1))
        held += low <= 0.1 * differing <= high
    assert 0.935 <= held / 3000 <= 0.972  # a little wide where about 20 rows differ


def test_the_kind_of_interval_follows_from_the_values() -> None:
    random = np.random.default_rng(4)
    zeros_and_ones = Mean((random.random(80) < 0.7).astype(float)), Mean((random.random(80) < 0.6).astype(float))
    draw = {"resamples": 500, "seed": 0}
    wins, losses = (int((a.values > b.values).sum()) for a, b in (zeros_and_ones, zeros_and_ones[::-1]))
    assert interval_of_difference(*zeros_and_ones, **draw) == of_proportions(wins, losses, 80)
    base = random.random(80)
    near = base.copy()
    near[:5] += 0.1
    few = interval_of_difference(Mean(near), Mean(base), **draw)
    assert few == of_sparse(near - base, (-1.0, 1.0))
    found = difference("f", ("a", Mean(near)), ("b", Mean(base)), **draw)
    assert (found.low, found.high) == few
