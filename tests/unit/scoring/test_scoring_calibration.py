"""Confidence held against what was right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.scoring.calibration import FEWEST, calibration_error, overconfidence, platt, reliability, threshold_for

PAIRS = st.lists(st.tuples(st.floats(0, 1), st.sampled_from([0.0, 1.0])), min_size=1, max_size=120)


def columns(pairs):  # type: ignore[no-untyped-def]
    return np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs])


@given(PAIRS)
def test_each_row_is_in_one_bin_and_none_is_too_small(pairs) -> None:  # type: ignore[no-untyped-def]
    confidence, right = columns(pairs)
    bins = reliability(confidence, right)
    assert bins or len(pairs) < FEWEST
    if bins:
        assert sum(one.n for one in bins) == len(pairs)
        assert all(one.n >= FEWEST and one.low <= one.right <= one.high for one in bins)
        means = [one.confidence for one in bins]
        assert means == sorted(means)
        assert sum(one.n * one.right for one in bins) == pytest.approx(right.sum())
        assert 0 <= calibration_error(bins) <= 1


def test_a_confidence_that_means_what_it_says_has_little_error_and_one_that_boasts_has_much() -> None:
    random = np.random.default_rng(0)
    chance = random.uniform(0.3, 1, size=5000)
    right = (random.random(5000) < chance).astype(float)
    assert calibration_error(reliability(chance, right)) < 0.03
    honest = overconfidence(chance, right, resamples=2000)
    assert honest.low <= 0 <= honest.high
    boasting = np.sqrt(chance)
    assert calibration_error(reliability(boasting, right)) > 0.08
    assert overconfidence(boasting, right, resamples=2000).low > 0.08


@given(PAIRS, st.floats(0.01, 1), st.floats(0.01, 1))
def test_who_wants_more_hands_off_more(pairs, one, other) -> None:  # type: ignore[no-untyped-def]
    confidence, right = columns(pairs)
    less, more = (threshold_for(confidence, right, wanted) for wanted in sorted((one, other)))
    assert less in (None, 0.0, *confidence)
    if more is not None:
        assert less is not None
        assert less <= more


@given(PAIRS)
def test_the_fitted_chance_never_falls_as_confidence_rises_and_is_right_on_average(pairs) -> None:  # type: ignore[no-untyped-def]
    confidence, right = columns(pairs)
    chance = platt(confidence, right)
    assert np.all(np.diff(chance[np.argsort(confidence)]) >= -1e-9)
    assert chance.mean() == pytest.approx(right.mean(), abs=0.02 + 2 / len(pairs))


def test_a_threshold_holds_on_other_rows() -> None:
    random = np.random.default_rng(1)

    def drawn(rows: int) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
        chance = random.uniform(0.4, 1, size=rows)
        return chance**0.3, (random.random(rows) < chance).astype(float)  # it boasts

    confidence, right = drawn(100_000)
    reached = []
    for _ in range(100):
        threshold = threshold_for(*drawn(150), 0.9)
        assert threshold is not None
        reached.append(right[confidence >= threshold].mean())
    assert np.mean(reached) == pytest.approx(0.9, abs=0.01)


def test_no_rows_have_no_threshold() -> None:
    assert threshold_for(np.array([]), np.array([]), 0.9) is None
