"""Intervals: known values, what must always hold, and how often they hold the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from tunesmith.scoring.intervals import bootstrap, drawn_rows, interval_of_mean, score, wilson
from tunesmith.scoring.statistic import MacroF1, Mean, Minus

shares = st.lists(st.floats(0, 1), min_size=1, max_size=40)


def test_wilson_gives_the_published_interval() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263 and 15 of 148.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)


def test_wilson_of_none_and_of_all_ends_at_the_bound() -> None:
    assert wilson(0, 20) == (0.0, pytest.approx(0.1611, abs=5e-5))
    assert wilson(20, 20) == (pytest.approx(0.8389, abs=5e-5), 1.0)


def test_wilson_refuses_what_is_no_proportion() -> None:
    for successes, n in ((3, 2), (-1, 5), (0, 0)):
        with pytest.raises(ValueError, match="no proportion"):
            wilson(successes, n)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_estimate_and_stays_within_bounds(case: tuple[int, int]) -> None:
    successes, n = case
    low, high = wilson(successes, n)
    assert 0 <= low <= successes / n <= high <= 1


@given(shares, st.integers(0, 5))
def test_a_score_holds_its_estimate_and_stays_within_bounds(values: list[float], seed: int) -> None:
    found = score("field_f1", Mean(np.array(values)), resamples=200, seed=seed)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.n == len(values)


@given(shares)
def test_a_score_on_few_rows_never_claims_certainty(values: list[float]) -> None:
    found = score("field_f1", Mean(np.array(values)), resamples=200)
    assert found.high > found.low


def test_equal_values_get_the_interval_of_zero_rows_that_differ() -> None:
    low, high = bootstrap(Mean(np.full(30, 1.0)), resamples=1000)
    assert (low, high) == (pytest.approx(wilson(30, 30)[0]), 1.0)


def test_an_unbounded_mean_of_equal_values_stays_finite() -> None:
    low, high = bootstrap(Mean(np.full(10, 1.5), bounds=(0.0, math.inf)), resamples=1000)
    assert 0 < low < 1.5 < high < math.inf


@given(st.lists(st.floats(-1e6, 1e6), max_size=30))
def test_a_mean_without_bounds_has_a_finite_interval_that_holds_it(values: list[float]) -> None:
    found = interval_of_mean(np.array(values), resamples=50)
    if len(values) < 2:
        assert found is None
        return
    assert found is not None
    low, high = found
    assert math.isfinite(low)
    assert math.isfinite(high)
    slack = 1e-9 * max(map(abs, values))
    assert low - slack <= sum(values) / len(values) <= high + slack
    assert min(values) - slack <= low <= high <= max(values) + slack


def test_no_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="no rows"):
        score("accuracy", Mean(np.array([])))


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    statistic = Mean(np.random.default_rng(0).random(50))
    assert bootstrap(statistic, resamples=1000, seed=4) == bootstrap(statistic, resamples=1000, seed=4)
    assert bootstrap(statistic, resamples=1000, seed=4) != bootstrap(statistic, resamples=1000, seed=5)


def test_each_draw_holds_as_many_rows_as_there_are() -> None:
    blocks = list(drawn_rows(1_500_000, 3, seed=0))
    assert [block.shape for block in blocks] == [(1, 1_500_000)] * 3
    assert all((block.sum(axis=1) == 1_500_000).all() for block in blocks)


def test_leaving_one_row_out_equals_computing_again_without_it() -> None:
    random = np.random.default_rng(2)
    references, answers = random.integers(0, 4, 30), random.integers(-1, 4, 30)
    weights = np.ones((30, 30)) - np.eye(30)
    for statistic in (Mean(random.random(30)), MacroF1(references, answers, 4)):
        np.testing.assert_allclose(statistic.leave_one_out(), statistic.resampled(weights))


def test_wilson_covers_the_truth_95_times_in_100() -> None:
    for n, share in ((40, 0.5), (100, 0.85), (300, 0.9), (60, 0.3)):
        covers = [low <= share <= high for low, high in (wilson(k, n) for k in range(n + 1))]
        coverage = float(np.sum(binom.pmf(np.arange(n + 1), n, share)[covers]))
        assert 0.93 <= coverage <= 0.97, (n, share, coverage)


def test_the_bootstrap_of_a_skewed_mean_covers_the_truth_95_times_in_100() -> None:
    random = np.random.default_rng(11)
    covered = 0
    for trial in range(1000):
        low, high = bootstrap(Mean(random.beta(4, 1.5, 40)), resamples=600, seed=trial)
        covered += low <= 4 / 5.5 <= high
    assert 930 <= covered <= 970


def test_the_bootstrap_of_a_paired_difference_covers_the_truth_95_times_in_100() -> None:
    random = np.random.default_rng(12)
    covered = 0
    for trial in range(1000):
        easy = random.random(60)
        ours = np.clip(easy + random.normal(0.1, 0.2, 60), -9, 9)
        low, high = bootstrap(Minus(Mean(ours, (-9, 9)), Mean(easy, (-9, 9))), resamples=600, seed=trial)
        covered += low <= 0.1 <= high
    assert 930 <= covered <= 970


def test_the_bootstrap_of_macro_f1_covers_the_truth_95_times_in_100() -> None:
    random = np.random.default_rng(13)
    right = np.array([0.9, 0.8, 0.6])

    def draw(n: int) -> MacroF1:
        references = random.choice(3, size=n, p=[0.5, 0.3, 0.2])
        other = (references + random.integers(1, 3, n)) % 3
        return MacroF1(references, np.where(random.random(n) < right[references], references, other), 3)

    truth = draw(2_000_000).estimate()
    covered = 0
    for trial in range(500):
        low, high = bootstrap(draw(80), resamples=400, seed=trial)
        covered += low <= truth <= high
    assert 465 <= covered <= 485
