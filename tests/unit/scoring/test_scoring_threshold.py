"""Claims about one value: as rare when false as they promise, for one criterion and for several."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from tunesmith.example import Score
from tunesmith.scoring.intervals import score, wilson
from tunesmith.scoring.several import holm
from tunesmith.scoring.statistic import Mean
from tunesmith.scoring.threshold import ONE_SIDED, p_missed, p_reached


def scored(count: int, n: int) -> Score:
    return Score("accuracy", count / n, n, *wilson(count, n))


@pytest.mark.parametrize("n", [20, 60, 200, 500])
@pytest.mark.parametrize("at_least", [0.5, 0.8, 0.95, 0.99])
def test_a_false_claim_of_a_proportion_is_never_likelier_than_promised(n: int, at_least: float) -> None:
    chance = binom.pmf(np.arange(n + 1), n, at_least)  # the truth is the threshold itself: the worst case
    reached = [p_reached(scored(count, n), at_least, proportion=True) <= ONE_SIDED for count in range(n + 1)]
    missed = [p_missed(scored(count, n), at_least, proportion=True) <= ONE_SIDED for count in range(n + 1)]
    assert chance[reached].sum() <= ONE_SIDED
    assert chance[missed].sum() <= ONE_SIDED


def test_a_p_value_of_a_mean_is_at_its_level_where_the_interval_ends() -> None:
    found = Score("f", 0.7, 50, 0.6, 0.78)
    assert p_reached(found, 0.6, proportion=False) == pytest.approx(ONE_SIDED)
    assert p_missed(found, 0.78, proportion=False) == pytest.approx(ONE_SIDED)
    assert p_reached(found, 0.7, proportion=False) == pytest.approx(0.5)
    assert p_missed(Score("f", 0.7, 50, 0.7, 0.7), 0.8, proportion=False) == 0.0


def test_what_asks_for_nothing_is_reached() -> None:
    assert p_reached(scored(0, 20), 0.0, proportion=True) == 0.0


def test_of_several_criteria_that_are_met_one_is_rarely_called_missed() -> None:
    random = np.random.default_rng(7)
    alarms = 0
    for counts in random.binomial(200, 0.8, size=(4000, 4)):
        ps = holm([p_missed(scored(int(count), 200), 0.8, proportion=True) for count in counts])
        alarms += min(ps) <= ONE_SIDED
    assert alarms / 4000 <= 0.03


def test_all_of_several_are_called_met_no_oftener_than_one_where_one_is_not() -> None:
    random = np.random.default_rng(8)
    alarms = 0
    for easy, hard in zip(random.binomial(200, 0.95, 4000), random.binomial(200, 0.8, 4000), strict=True):
        alarms += all(p_reached(scored(int(one), 200), 0.8, proportion=True) <= ONE_SIDED for one in (easy, hard))
    assert alarms / 4000 <= 0.03


@pytest.mark.slow
def test_a_false_claim_of_a_mean_is_about_as_rare_as_promised() -> None:
    random = np.random.default_rng(9)
    truth = 4 / 5.5
    reached = missed = 0
    for trial in range(3000):
        found = score("f", Mean(random.beta(4, 1.5, 60)), resamples=500, seed=trial)
        reached += p_reached(found, truth, proportion=False) <= ONE_SIDED
        missed += p_missed(found, truth, proportion=False) <= ONE_SIDED
    assert reached / 3000 <= 0.035
    assert missed / 3000 <= 0.035
