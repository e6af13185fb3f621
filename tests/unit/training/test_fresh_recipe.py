"""The recipe of a fresh model, and what it refuses."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from tests.unit.training.tiny import rows
from tunesmith.errors import InputError
from tunesmith.stages.train.checks import check_fresh
from tunesmith.stages.train.settings import TrainSettings
from tunesmith.training.recipe import choose
from tunesmith.training.schedule import factor


def test_a_fresh_model_is_trained_whole_at_a_high_rate_that_falls_as_a_cosine() -> None:
    auto = TrainSettings(precision="float32")
    small, large = (choose(auto, "causal_lm", rows(40), 0, parameters) for parameters in (300_000, 100_000_000))
    tuned = choose(auto, "causal_lm", rows(40), 0)
    assert (small.method, small.schedule, small.weight_decay, small.adam_beta2) == ("full", "cosine", 0.1, 0.99)
    assert (tuned.method, tuned.schedule, tuned.weight_decay, tuned.adam_beta2) == ("lora", "linear", 0.01, 0.999)
    assert small.learning_rate == 0.0027
    assert large.learning_rate == 0.00063
    assert (small.batch_size, small.epochs) == (32, 40)  # 6 trained tokens a row, and few rows
    assert large.workers == 1  # each thread would hold gradients of all weights


def test_passes_get_fewer_as_text_gets_more() -> None:
    from types import SimpleNamespace

    from tunesmith.training.recipe import fresh_causal_lm

    def auto(rows: int, tokens: int) -> tuple[int, int]:
        found = fresh_causal_lm([SimpleNamespace(trained=[True] * tokens)] * rows, 10**6)  # type: ignore[list-item]
        return found["batch_size"], found["epochs"]

    assert auto(320, 60) == (8, 8)
    assert auto(50, 400) == (4, 24)  # 300 steps
    assert auto(2000, 500) == (4, 8)
    assert auto(8000, 500) == (4, 4)
    assert auto(120_000, 500) == (8, 1)


def test_settings_go_before_what_auto_would_take() -> None:
    asked = TrainSettings(schedule="linear", weight_decay=0.2, learning_rate=0.5, epochs=2, precision="float32")
    recipe = choose(asked, "causal_lm", rows(40), 0, 300_000)
    assert (recipe.schedule, recipe.weight_decay, recipe.learning_rate, recipe.epochs) == ("linear", 0.2, 0.5, 2)


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_the_rate_rises_then_falls_to_its_end(schedule: str) -> None:
    found = [factor(step, 100, 0.1, schedule) for step in range(100)]
    assert found[:10] == [pytest.approx((step + 1) / 10) for step in range(10)]
    assert all(later < earlier for earlier, later in pairwise(found[9:]))
    assert found[-1] == pytest.approx(0.1 if schedule == "cosine" else 1 / 91)
    if schedule == "cosine":
        assert found[54] == pytest.approx(0.1 + 0.9 * (1 + math.cos(math.pi / 2)) / 2)


@pytest.mark.parametrize(
    ("settings", "code"), [({"method": "lora"}, "method_not_served"), ({"objective": "dpo"}, "objective_not_served")]
)
def test_what_needs_a_model_that_knows_something_is_refused(settings: dict[str, str], code: str) -> None:
    check_fresh(TrainSettings())
    with pytest.raises(InputError) as caught:
        check_fresh(TrainSettings(**settings))  # type: ignore[arg-type]
    assert caught.value.code == code
