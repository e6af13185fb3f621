"""A step whose loss or gradient is not finite changes nothing, is recorded with its rows, and three in a row stop."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.unit.training.checkpoints import STEPS, make_run
from tests.unit.training.tiny import rows
from tunesmith.errors import TunesmithError
from tunesmith.learners.protocol import Outcome
from tunesmith.training.loop import Run


def spoil(run: Run, steps: Mapping[int, str]) -> Run:
    """Make loss or gradient of these steps (from 1) not finite, as an overflow does."""
    gradients = run.model.gradients

    def spoiled(*arguments: Any) -> Outcome:
        found = gradients(*arguments)
        what = steps.get(run.state.step + 1)
        if what == "gradient":
            next(iter(run.model.model.parameters())).grad[0, 0] = math.inf
        return replace(found, loss=math.nan) if what == "loss" else found

    run.model.gradients = spoiled  # type: ignore[method-assign]
    return run


def weights(run: Run) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in run.model.trained_state().items()}


def moments(run: Run) -> list[torch.Tensor]:
    return [value.clone() for state in run.optimizer.state.values() for value in state.values()]


def test_a_step_that_is_not_finite_changes_nothing_and_is_recorded_with_its_rows(tmp_path: Path) -> None:
    run = spoil(make_run(tmp_path), {3: "loss", 5: "gradient"})
    before: dict[int, Any] = {}
    told = []
    for one in run:
        told.append(one)
        if one.kind == "step":
            before[one.data["step"]] = (weights(run), moments(run))
    for step in (3, 5):
        (left, left_moments), (right, right_moments) = before[step - 1], before[step]
        assert all(torch.equal(left[name], right[name]) for name in left)
        assert all(torch.equal(*pair) for pair in zip(left_moments, right_moments, strict=True))
    assert any(not torch.equal(before[5][0][name], before[6][0][name]) for name in before[5][0])

    skipped = [one.data for one in told if one.kind == "skipped"]
    assert skipped == run.state.skipped
    assert [(one["step"], one["why"]) for one in skipped] == [
        (3, "the loss was nan"),
        (5, "the gradient's norm was inf"),
    ]
    assert skipped[0]["ids"] == [row.id for row in run.sampler.step(2)]
    assert [one.data["step"] for one in told if one.kind == "step"] == list(range(1, STEPS + 1))
    assert 3 not in [entry["step"] for entry in run.state.curve if "train_loss" in entry]


def test_the_ledger_counts_no_skipped_step(tmp_path: Path) -> None:
    run = spoil(make_run(tmp_path), {3: "loss", 5: "gradient"})
    list(run)
    lines = {line["id"]: line["steps"] for line in run.ledger_lines()}
    assert sorted(lines) == sorted(row.id for row in rows(40))
    for step in range(1, STEPS + 1):
        drawn = {row.id for row in run.sampler.step(step - 1)}
        assert {id for id, steps in lines.items() if step in steps} == (set() if step in (3, 5) else drawn)


def test_a_run_that_skipped_and_was_killed_ends_as_one_that_was_not(tmp_path: Path) -> None:
    whole = spoil(make_run(tmp_path / "whole"), {3: "loss", 4: "loss"})
    list(whole)
    first = spoil(make_run(tmp_path / "killed"), {3: "loss", 4: "loss"})
    for told in first:
        if told.kind == "skipped" and told.data["step"] == 4:
            break  # the checkpoint of step 3 says that one step was skipped
    second = spoil(make_run(tmp_path / "killed"), {3: "loss", 4: "loss"})
    assert [told.kind for told in second].count("skipped") == 1
    assert second.state.skipped == whole.state.skipped
    assert second.state.curve == whole.state.curve
    assert all(torch.equal(value, weights(whole)[name]) for name, value in weights(second).items())


def test_three_in_a_row_stop_the_run_with_each_cause_in_words(tmp_path: Path) -> None:
    run = spoil(make_run(tmp_path), {1: "loss", 2: "loss", 4: "gradient", 5: "loss", 6: "gradient"})
    with pytest.raises(TunesmithError) as caught:
        list(run)
    error = caught.value
    assert error.code == "training_not_finite"
    assert error.where == "step 6"
    drawn = run.sampler.step(3)
    for words in (
        "3 steps in a row had no finite loss or gradient",
        f"in step 4 the gradient's norm was inf (rows {drawn[0].id}, {drawn[1].id}, {drawn[2].id} and 5 more)",
        "in step 5 the loss was nan",
        "in step 6 the gradient's norm was inf",
    ):
        assert words in error.what
    assert "train.learning_rate" in error.fix
