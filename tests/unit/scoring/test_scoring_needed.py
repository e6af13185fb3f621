"""How many rows it would take."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tunesmith.example import Score
from tunesmith.scoring.intervals import score, wilson
from tunesmith.scoring.needed import rows_needed
from tunesmith.scoring.statistic import Mean


@given(st.integers(5, 95), st.integers(5, 95))
def test_the_proportion_clears_the_threshold_at_the_rows_needed_and_not_before(value: int, at_least: int) -> None:
    assume(value != at_least)
    share, threshold = value / 100, at_least / 100
    needed = rows_needed(Score("accuracy", share, 10, 0.0, 1.0), threshold, proportion=True)
    assert needed is not None

    def clears(n: int) -> bool:
        low, high = wilson(share * n, n)
        return low >= threshold - 1e-9 if share > threshold else high <= threshold + 1e-9

    assert clears(needed)
    assert needed == 1 or not clears(needed - 1)


def test_a_mean_needs_rows_with_the_square_of_its_interval() -> None:
    found = Score("field_f1", 0.88, 40, 0.80, 0.94)
    assert rows_needed(found, 0.84, proportion=False) == 160  # half the distance: four times the rows
    assert rows_needed(found, 0.91, proportion=False) == 160


def test_a_value_on_the_threshold_is_never_settled() -> None:
    assert rows_needed(Score("accuracy", 0.85, 20, 0.6, 0.95), 0.85, proportion=True) is None
    assert rows_needed(Score("field_f1", 0.85, 20, 0.6, 0.95), 0.85, proportion=False) is None


def test_no_number_of_rows_proves_all_or_nothing() -> None:
    assert rows_needed(Score("accuracy", 0.99, 100, 0.94, 1.0), 1.0, proportion=True) is None


def test_that_many_rows_of_the_same_kind_do_clear_it() -> None:
    random = np.random.default_rng(8)
    values = np.clip(random.normal(0.8, 0.2, 40), 0, 1)
    few = score("field_f1", Mean(values))
    at_least = few.value - 0.03
    assert few.low < at_least
    needed = rows_needed(few, at_least, proportion=False)
    assert needed is not None
    many = score("field_f1", Mean(np.resize(values, round(1.1 * needed))))
    assert many.low >= at_least - 0.003
    assert many.value == pytest.approx(few.value, abs=0.02)
