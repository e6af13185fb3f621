"""Changes that chance explains are none, and those that it does not are seen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.scoring.shift import REST, grouped, of_kinds, of_numbers


def test_the_index_is_nothing_on_average_where_nothing_changed_and_p_keeps_its_level():
    random = np.random.default_rng(0)
    found = [of_numbers(random.gamma(2, 20, 300), random.gamma(2, 20, 1000)) for _ in range(400)]
    assert np.mean([one.index for one in found]) < 0.015
    assert np.mean([one.p < 0.05 for one in found]) <= 0.08
    kinds = np.array([f"label {number}" for number in range(20)])
    shares = random.dirichlet(np.ones(20))
    looks = [of_kinds(list(random.choice(kinds, 300, p=shares)), list(random.choice(kinds, 1000, p=shares)))
             for _ in range(400)]  # fmt: skip
    assert np.mean([one.index for one in looks]) < 0.02
    assert np.mean([one.p < 0.05 for one in looks]) <= 0.08


def test_a_change_is_as_large_as_it_is():
    random = np.random.default_rng(1)
    before = random.normal(0, 1, 5000)
    small, large = of_numbers(random.normal(0.1, 1, 5000), before), of_numbers(random.normal(1, 1, 1000), before)
    assert small.p < 0.001 > large.p
    assert small.index < 0.05  # no chance, and nothing to worry about
    assert large.index == pytest.approx(1.0, abs=0.2)  # of normals a standard deviation apart it is 1


def test_the_index_is_that_of_its_definition():
    before, now = ["a"] * 500 + ["b"] * 500, ["a"] * 900 + ["b"] * 100
    exact = (0.9 - 0.5) * np.log(0.9 / 0.5) + (0.1 - 0.5) * np.log(0.1 / 0.5)
    assert of_kinds(now, before).index == pytest.approx(exact - (1 / 1000 + 1 / 1000))


def test_rare_kinds_are_counted_together():
    before = ["a"] * 50 + [f"rare {number}" for number in range(40)]
    names, now, then = grouped(["a"] * 90, before)
    assert (names, now.tolist(), then.tolist()) == (["a", REST], [90, 0], [50, 40])


def test_the_test_for_numbers_is_that_of_scipy():
    from scipy.stats import ks_2samp

    random = np.random.default_rng(2)
    now, before = random.normal(0.2, 1, 300), random.normal(0, 1, 700)
    assert of_numbers(now, before).p == pytest.approx(ks_2samp(now, before, method="asymp").pvalue)


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=50), st.lists(st.integers(-5, 5), min_size=1, max_size=50))
def test_any_numbers_have_an_index_and_a_p(now, before):
    found = of_numbers(np.array(now, np.float64), np.array(before, np.float64))
    assert found.index >= 0
    assert 0 <= found.p <= 1
    assert (found.n, found.reference) == (len(now), len(before))


@given(st.lists(st.text(max_size=2), min_size=1, max_size=50))
def test_the_same_kinds_are_no_change(kinds):
    found = of_kinds(kinds, kinds)
    assert (found.index, found.p) == (0.0, 1.0)


def test_of_nothing_nothing_is_said():
    with pytest.raises(ValueError, match="no values"):
        of_numbers(np.zeros(0), np.zeros(3))
    with pytest.raises(ValueError, match="no values"):
        of_kinds([], ["a"])
