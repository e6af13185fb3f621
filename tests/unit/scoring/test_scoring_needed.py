"""How many rows it would take, and that they have the power that is promised."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tunesmith.example import Score
from tunesmith.scoring.intervals import score, wilson
from tunesmith.scoring.needed import POWER, chance_to_settle, rows_for_proportion, rows_needed
from tunesmith.scoring.statistic import MacroF1, Mean
from tunesmith.scoring.threshold import ONE_SIDED, p_missed, p_reached

SHARES = [(0.9, 0.8), (0.85, 0.8), (0.7, 0.8), (0.97, 0.9), (0.3, 0.45)]


def binary(share: float, n: int = 100) -> Mean:
    return Mean((np.arange(n) < round(share * n)).astype(float))


def settled(found: Score, at_least: float, share: float, *, proportion: bool) -> bool:
    """Whether a score shows a true share to lie on its side of the threshold, as the verdict does."""
    if share > at_least:
        return found.low >= at_least and p_reached(found, at_least, proportion=proportion) <= ONE_SIDED
    return found.high < at_least and p_missed(found, at_least, proportion=proportion) <= ONE_SIDED


@pytest.mark.parametrize(("share", "at_least"), SHARES)
def test_so_many_rows_settle_a_proportion_four_times_in_five(share: float, at_least: float) -> None:
    needed = rows_needed(binary(share), at_least)
    assert needed is not None
    random = np.random.default_rng(3)
    hits = 0
    for count in random.binomial(needed, share, 4000):
        low, high = wilson(count, needed)
        hits += settled(Score("accuracy", count / needed, needed, low, high), at_least, share, proportion=True)
    assert hits / 4000 >= 0.78
    assert hits / 4000 == pytest.approx(float(chance_to_settle(np.array([needed]), share, at_least)[0]), abs=0.025)
    assert chance_to_settle(np.array([needed * 3 // 4]), share, at_least)[0] < POWER  # and far fewer do not


@pytest.mark.slow
@pytest.mark.parametrize("shift", [-0.04, 0.04])
def test_so_many_rows_settle_a_mean_four_times_in_five(shift: float) -> None:
    random = np.random.default_rng(4)
    truth = 4 / 5.5
    needed = rows_needed(Mean(random.beta(4, 1.5, 200_000)), truth - shift)
    assert needed is not None
    assert hit_rate(lambda: Mean(random.beta(4, 1.5, needed)), truth - shift, truth, 1500) >= 0.77


@pytest.mark.slow
def test_so_many_rows_settle_macro_f1_four_times_in_five() -> None:
    random = np.random.default_rng(5)

    def draw(n: int) -> MacroF1:
        references = random.choice(3, size=n, p=[0.5, 0.3, 0.2])
        other = (references + random.integers(1, 3, n)) % 3
        return MacroF1(references, np.where(random.random(n) < 0.85, references, other), 3)

    truth = draw(1_000_000).estimate()
    needed = rows_needed(draw(20_000), truth - 0.05)
    assert needed is not None
    assert hit_rate(lambda: draw(needed), truth - 0.05, truth, 800) >= 0.76


def hit_rate(draw: Any, at_least: float, truth: float, trials: int) -> float:
    hits = [
        settled(score("f", draw(), resamples=500, seed=trial), at_least, truth, proportion=False)
        for trial in range(trials)
    ]
    return sum(hits) / trials


def test_a_cautious_look_needs_about_four_times_the_rows() -> None:
    now, cautious = (rows_needed(binary(0.9), 0.8, nearer=nearer) for nearer in (1.0, 0.5))
    assert now is not None
    assert cautious is not None
    assert 3.5 < cautious / now < 5
    values = Mean(np.random.default_rng(1).random(50))
    now, cautious = (rows_needed(values, 0.3, nearer=nearer) for nearer in (1.0, 0.5))
    assert now is not None
    assert cautious is not None
    assert 3.5 < cautious / now <= 4


def test_more_power_and_a_stricter_level_need_more_rows() -> None:
    usual, sure, strict = (
        rows_for_proportion(0.9, 0.8, power=power, level=level)
        for power, level in ((0.8, 0.025), (0.95, 0.025), (0.8, 0.005))
    )
    assert usual == 113
    assert usual < min(sure or 0, strict or 0)


def test_a_value_on_the_threshold_is_never_settled() -> None:
    assert rows_needed(binary(0.85), 0.85) is None
    assert rows_needed(Mean(np.array([0.2, 0.4])), 0.3) is None


def test_no_number_of_rows_proves_all_or_nothing() -> None:
    assert rows_needed(binary(1.0), 1.0) is None
    assert rows_for_proportion(0.99, 1.0) == 1  # one mistake disproves it


def test_answers_that_are_all_alike_need_as_many_rows_as_their_interval_says() -> None:
    same = Mean(np.full(5, 0.9))
    needed = rows_needed(same, 0.8)
    assert needed is not None
    assert score("f", Mean(np.full(needed, 0.9))).low >= 0.8 - 1e-9
    assert score("f", Mean(np.full(needed - 1, 0.9))).low < 0.8
    assert rows_needed(binary(1.0), 0.9) == 36
    assert wilson(36, 36)[0] >= 0.9 > wilson(34, 34)[0]


def test_the_formula_and_the_exact_search_agree_where_both_apply() -> None:
    exact = rows_for_proportion(0.82, 0.8)
    far = rows_for_proportion(0.805, 0.8)
    assert exact is not None
    assert far is not None
    assert far / exact == pytest.approx(16, rel=0.06)
