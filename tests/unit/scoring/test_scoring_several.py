"""Several tests at once, and two sets of rows held against each other."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.scoring.several import holm
from tunesmith.scoring.unpaired import two_samples


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=20))
def test_holm_keeps_the_order_and_never_lowers(ps: list[float]) -> None:
    adjusted = holm(ps)
    assert all(p <= better <= 1 for p, better in zip(ps, adjusted, strict=True))
    pairs = sorted(zip(ps, adjusted, strict=True))
    assert all(left[1] <= right[1] for left, right in itertools.pairwise(pairs))


def test_any_false_alarm_among_twenty_is_rare() -> None:
    random = np.random.default_rng(0)
    alarms = sum(min(holm(random.random(20).tolist())) < 0.05 for _ in range(4000))
    assert 0.04 < alarms / 4000 < 0.06


def test_two_samples_of_zeros_and_ones_is_fishers_tea_tasting() -> None:
    some, others = np.array([1.0, 1, 1, 0]), np.array([0.0, 0, 0, 1])
    assert two_samples(some, others, resamples=10, seed=0) == pytest.approx(34 / 70)


def test_two_samples_of_other_values_alarms_falsely_as_often_as_promised() -> None:
    random = np.random.default_rng(1)
    alarms = 0
    for seed in range(400):
        values = random.beta(2, 1, size=40)
        alarms += two_samples(values[:12], values[12:], resamples=400, seed=seed) < 0.05
    assert 8 <= alarms <= 33  # 5% of 400, and its chance (binomial, 99%)


def test_nothing_is_said_of_no_rows() -> None:
    assert two_samples(np.array([]), np.array([1.0]), resamples=10, seed=0) == 1.0
