"""`train.epochs: auto`: a plan grows on clear evidence alone, to a cap, and a stop changes nothing."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.training.test_loop import assert_same, weights
from tests.unit.training.tiny import recipe, rows, trainable
from tunesmith.stages.train.settings import TrainSettings
from tunesmith.training.growth import ERRORS, MOST, SHARE_GAINED, Gain, gain, longer
from tunesmith.training.loop import Measurement, Run
from tunesmith.training.recipe import choose
from tunesmith.training.schedule import factor
from tunesmith.training.tree_packing import trees

FIRST = 12


def grown(folder: Path, **changes: object) -> Run:
    """A plan that is far too short for its rows, and too slow."""
    plan = {"steps": FIRST, "validate_every": 2, "grows": True, "learning_rate": 3e-3, **changes}
    return Run(trainable(), rows(200), rows(12, seed=1), partial(trees, budget=64), recipe(200, **plan), folder)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, list[Measurement]]:
    """A run that grows and was never stopped, and what it told."""
    run = grown(tmp_path_factory.mktemp("whole"))
    return run, list(run)


def test_a_run_that_still_gains_goes_on_and_ends_better(tmp_path, whole):
    short = grown(tmp_path / "short", grows=False)
    list(short)
    run, told = whole
    plans = [one.data["steps"] for one in told if one.kind == "grown"]
    assert plans == [18, 24, 30, 36]
    assert run.state.step == run.state.steps == MOST * FIRST
    assert run.state.best_loss < short.state.best_loss
    # until the first plan's end nothing differs; from there on each step has the rate of its longer plan
    steps = [one.data for one in told if one.kind == "step"]
    peak, warmup = run.recipe.learning_rate, run.recipe.warmup
    for data in steps:
        assert data["learning_rate"] == pytest.approx(peak * factor(data["step"] - 1, data["steps"], warmup))
    assert [data["steps"] for data in steps] == [12] * 12 + [18] * 6 + [24] * 6 + [30] * 6 + [36] * 6
    before = [entry for entry in run.state.curve if entry["step"] <= FIRST]
    assert before == short.state.curve


def test_a_run_that_gains_nothing_ends_as_planned(tmp_path):
    run = grown(tmp_path, learning_rate=0.0, weight_decay=0.0, patience=99)
    assert "grown" not in {one.kind for one in run}
    assert run.state.step == FIRST


def test_a_run_that_was_stopped_early_does_not_grow(tmp_path):
    run = grown(tmp_path, learning_rate=0.0, weight_decay=0.0, patience=2)
    assert "grown" not in {one.kind for one in run}
    assert run.state.stopped_early
    assert run.state.step == 4


def test_without_validation_rows_nothing_grows(tmp_path):
    run = grown(tmp_path)
    bare = Run(run.model, rows(40), [], run.batches, run.recipe, tmp_path)
    assert {one.kind for one in bare} == {"step"}
    assert bare.state.step == FIRST


@pytest.mark.parametrize("stop_after", [7, FIRST, FIRST + 1, 20])
def test_a_run_that_grows_ends_alike_wherever_it_was_stopped(tmp_path, whole, stop_after):
    first = grown(tmp_path / "stopped", checkpoint_seconds=0)
    for told in first:
        if told.kind == "step" and told.data["step"] == stop_after:
            break  # as a kill does: nothing is saved any more
    second = grown(tmp_path / "stopped", checkpoint_seconds=0)
    assert next(iter(second)).kind == "resumed"
    list(second)
    assert_ends_alike(second, whole[0])


def assert_ends_alike(run: Run, whole: Run) -> None:
    assert_same(weights(run), weights(whole))
    assert run.state.curve == whole.state.curve
    assert run.validated.outcomes() == whole.validated.outcomes()


def test_a_stop_at_the_very_moment_of_growing_changes_nothing(tmp_path, whole):
    first = grown(tmp_path / "stopped")
    for told in first:
        if told.kind == "grown":
            first.save()  # as Ctrl-C does
            break
    second = grown(tmp_path / "stopped")
    kinds = [told.kind for told in second]
    assert kinds[:2] == ["resumed", "step"]
    assert_ends_alike(second, whole[0])


def test_only_auto_grows():
    for epochs, grows in (("auto", True), (2, False)):
        chosen = choose(TrainSettings(epochs=epochs, precision="float32"), "causal_lm", rows(40), 0)
        assert chosen.grows == grows
        assert ("up to 30 while validation gains clearly" in chosen.words) == grows


@given(st.integers(1, 10_000))
def test_a_plan_grows_by_halves_to_its_most(first: int):
    plans = [first]
    while (more := longer(plans[-1], first)) > plans[-1]:
        plans.append(more)
    assert plans[-1] == MOST * first
    assert len(plans) <= 5


def outcomes(losses: list[float], right: float = 0.5) -> torch.Tensor:
    return torch.tensor([[loss, right] for loss in losses])


def test_a_gain_is_counted_row_by_row():
    before, earlier, last = [3.0, 4.0, 5.0, 6.0], [2.0, 3.0, 4.0, 5.0], [1.5, 2.6, 3.4, 4.5]
    found = gain(outcomes(before), outcomes(earlier), outcomes(last), "loss")
    each = torch.tensor([0.5, 0.4, 0.6, 0.5], dtype=torch.float64)
    assert found.value == pytest.approx(0.5)
    assert found.error == pytest.approx(each.std().item() / 2)
    assert found.whole == pytest.approx(1.5)
    assert found.is_clear
    assert not gain(outcomes(before), outcomes(last), outcomes(earlier), "loss").is_clear
    accuracy = gain(outcomes(before, 0.1), outcomes(earlier, 0.4), outcomes(last, 0.9), "accuracy")
    assert (accuracy.value, accuracy.whole) == (pytest.approx(0.5), pytest.approx(0.8))
    assert not gain(outcomes([2.0]), outcomes([1.0]), outcomes([0.5]), "loss").is_clear  # one row tells nothing


def test_a_gain_must_be_beyond_chance_and_not_small():
    clear = Gain(0.5, 0.1, 2.0)
    assert clear.is_clear
    assert not replace(clear, error=0.5 / ERRORS).is_clear
    assert not replace(clear, whole=1.01 * 0.5 / SHARE_GAINED).is_clear
    assert not Gain(-0.5, 0.1, 2.0).is_clear
