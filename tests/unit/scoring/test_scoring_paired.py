"""Paired differences: known p-values, and the claims they allow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.scoring.paired import difference, label_swap, mcnemar, sign_flip
from tunesmith.scoring.statistic import MacroF1, Mean

binary = st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0])), min_size=1, max_size=60)


def test_mcnemar_equals_the_binomial_tail_by_hand() -> None:
    ours = np.array([1.0] * 8 + [0.0] + [1.0] * 20)
    theirs = np.array([0.0] * 8 + [1.0] + [1.0] * 20)
    assert mcnemar(ours, theirs) == pytest.approx(2 * (1 + 9) / 2**9)


def test_mcnemar_without_a_row_that_differs_is_one() -> None:
    assert mcnemar(np.ones(5), np.ones(5)) == 1.0


def test_sign_flip_on_few_rows_is_exact() -> None:
    # Of the 8 sign patterns of (1, 2, 3), the sums 6 and -6 are as far out as 6.
    assert sign_flip(np.array([1.0, 2.0, 3.0])) == pytest.approx(2 / 8)
    # As far out as 4: +-6 and +-4.
    assert sign_flip(np.array([-1.0, 2.0, 3.0])) == pytest.approx(4 / 8)


def test_sign_flip_passes_over_rows_that_do_not_differ() -> None:
    assert sign_flip(np.array([0.0, 1.0, 0.0, 2.0, 3.0])) == pytest.approx(2 / 8)
    assert sign_flip(np.zeros(9)) == 1.0


def test_sign_flip_on_many_rows_is_near_the_normal_tail_and_never_zero() -> None:
    values = np.array([1.0, -1.0] * 40 + [1.0] * 20)  # sum 20 of 100 signs: two-sided p of a sign test
    assert sign_flip(values, resamples=20_000) == pytest.approx(0.0569, abs=0.008)
    assert sign_flip(np.ones(200), resamples=1000) == pytest.approx(1 / 1001)


def test_label_swap_of_equal_models_is_one_and_of_far_ones_small() -> None:
    references = np.arange(60) % 3
    right, wrong = MacroF1(references, references, 3), MacroF1(references, (references + 1) % 3, 3)
    assert label_swap(right, right, resamples=1000) == 1.0
    assert label_swap(right, wrong, resamples=1000) == pytest.approx(1 / 1001)


def test_false_alarms_are_as_rare_as_promised() -> None:
    random = np.random.default_rng(5)
    alarms = 0
    for trial in range(400):
        ours, theirs = Mean(random.beta(2, 2, 40)), Mean(random.beta(2, 2, 40))
        alarms += difference("f", ("tuned", ours), ("base", theirs), resamples=300, seed=trial).shown != "not_shown"
    assert alarms <= 0.08 * 400


@given(binary)
def test_a_difference_holds_its_estimate_within_bounds(pairs: list[tuple[float, float]]) -> None:
    ours, theirs = (Mean(np.array(side)) for side in zip(*pairs, strict=True))
    found = difference("accuracy", ("tuned", ours), ("base", theirs), resamples=200)
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert 0 < found.p <= 1
    assert found.value == pytest.approx(ours.estimate() - theirs.estimate())


def test_swapping_the_sides_turns_the_difference_around() -> None:
    random = np.random.default_rng(6)
    ours, theirs = ("a", Mean(random.random(30))), ("b", Mean(random.random(30)))
    one, other = difference("f", ours, theirs), difference("f", theirs, ours)
    assert (other.value, other.p) == (pytest.approx(-one.value), pytest.approx(one.p))
    assert (other.low, other.high) == (pytest.approx(-one.high, abs=0.01), pytest.approx(-one.low, abs=0.01))


def test_five_wins_and_no_loss_are_not_called_better() -> None:
    ours, theirs = np.ones(10), np.array([0.0] * 5 + [1.0] * 5)
    found = difference("accuracy", ("tuned", Mean(ours)), ("base", Mean(theirs)))
    assert found.low > 0
    assert found.p == pytest.approx(0.0625)
    assert found.shown == "not_shown"


def test_twenty_wins_and_no_loss_are_called_better_and_the_other_way_worse() -> None:
    ours, theirs = Mean(np.ones(40)), Mean(np.array([0.0, 1.0] * 20))
    assert difference("accuracy", ("t", ours), ("b", theirs)).shown == "better"
    assert difference("accuracy", ("t", theirs), ("b", ours)).shown == "worse"


def test_rows_that_do_not_match_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be paired"):
        difference("accuracy", ("t", Mean(np.ones(3))), ("b", Mean(np.ones(4))))
