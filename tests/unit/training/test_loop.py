"""The loop learns, keeps the best step, and goes on after a stop with the very same steps."""

from __future__ import annotations

import copy
import math
from functools import partial
from pathlib import Path

import pytest
import torch

from tests.unit.training.tiny import recipe, rows, trainable
from tunesmith.errors import TunesmithError
from tunesmith.training.loop import Run, measure
from tunesmith.training.sampler import Sampler, steps_in_epoch
from tunesmith.training.tree_packing import trees
from tunesmith.workers import Workers


def make_run(folder: Path, dropout: float = 0.0, **changes) -> Run:
    model = trainable(dropout=dropout)
    return Run(model, rows(40), rows(12, seed=1), partial(trees, budget=64), recipe(40, **changes), folder)


def weights(run: Run) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in run.model.trained_state().items()}


def assert_same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> None:
    assert left.keys() == right.keys()
    assert left
    for name, tensor in left.items():
        assert torch.equal(tensor, right[name]), name


def test_the_loss_falls_and_the_best_step_is_kept(tmp_path):
    run = make_run(tmp_path)
    told = list(run)
    losses = [entry["validation_loss"] for entry in run.state.curve if "validation_loss" in entry]
    assert losses[0] == pytest.approx(math.log(48), rel=0.1)  # the golden start: every token as likely
    assert min(losses) < 0.95 * losses[0]
    assert measure(run.model, run.validation, Workers(1)).mean_loss == pytest.approx(min(losses), abs=1e-5)
    assert [m.kind for m in told].count("step") == run.recipe.steps


@pytest.mark.parametrize("dropout_and_workers", [(0.2, 1), (0.0, 2)])
@pytest.mark.parametrize("stop_after", [1, 4, 7, 11, 14])
def test_a_stopped_run_ends_with_the_same_weights_bit_for_bit(tmp_path, stop_after, dropout_and_workers):
    dropout, workers = dropout_and_workers
    whole = make_run(tmp_path / "whole", dropout, workers=workers)
    list(whole)
    first = make_run(tmp_path / "stopped", dropout, checkpoint_seconds=0, workers=workers)
    steps = 0
    for told in first:
        steps += told.kind == "step"
        if steps > stop_after:
            break  # as a kill does: nothing is saved any more
    second = make_run(tmp_path / "stopped", dropout, checkpoint_seconds=0, workers=workers)
    kinds = [told.kind for told in second]
    assert kinds[0] == "resumed"
    assert kinds.count("step") < whole.recipe.steps
    assert_same(weights(second), weights(whole))
    assert second.state.curve == whole.state.curve
    assert second.validated.outcomes() == whole.validated.outcomes()


def test_every_example_is_trained_once_an_epoch_whatever_the_kills(tmp_path):
    run = make_run(tmp_path, checkpoint_seconds=0)
    for stop_after in (1, 2, 1, 3):
        for steps, _ in enumerate(one for one in run if one.kind == "step"):
            if steps == stop_after:
                break
        run = make_run(tmp_path, checkpoint_seconds=0)
    list(run)
    lines = run.ledger_lines()
    assert sorted(line["id"] for line in lines) == sorted(row.id for row in rows(40))
    epoch = steps_in_epoch(40, run.recipe.batch_size)
    for line in lines:
        assert [step > epoch * number for number, step in enumerate(line["steps"])] == [True] * 3
        assert line["times_kept"] == sum(step <= run.state.best_step for step in line["steps"])
        assert line["loss"] > 0
    whole = make_run(tmp_path / "whole")
    list(whole)
    assert whole.ledger_lines() == lines


def test_a_ledger_that_does_not_add_up_is_an_error(tmp_path):
    run = make_run(tmp_path)
    list(run)
    run.ledger.times[3] += 1
    with pytest.raises(TunesmithError, match=rows(40)[3].id):
        run.ledger_lines()


def test_three_steps_without_a_finite_loss_stop_the_run_with_the_cause(tmp_path):
    run = make_run(tmp_path, learning_rate=1e30, warmup=0.0, max_grad_norm=1e30)
    with pytest.raises(TunesmithError) as caught:
        list(run)
    assert caught.value.code == "training_not_finite"
    assert "row-0-" in caught.value.what
    assert "learning_rate" in caught.value.fix


def test_each_validation_row_is_known_before_training_and_at_the_kept_step(tmp_path):
    run = make_run(tmp_path, validate_every=2)
    before = measure(run.model, run.validation, Workers(1)).rows
    list(run)
    assert run.state.best_step > 0
    kept = measure(run.model, run.validation, Workers(1)).rows
    outcomes = run.validated.outcomes()
    assert set(outcomes) == {row.id for row in rows(12, seed=1)}
    for id, (first, last) in outcomes.items():
        assert first == pytest.approx(before[id], rel=1e-5)
        assert last == pytest.approx(kept[id], rel=1e-5)
    assert sum(last.loss for _, last in outcomes.values()) < sum(first.loss for first, _ in outcomes.values())


def test_a_step_tells_what_is_right_how_fast_and_how_much_is_shared(tmp_path):
    run = make_run(tmp_path, steps=2, learning_rate=0.0, weight_decay=0.0)
    model = copy.deepcopy(run.model.model).eval()
    model.set_attn_implementation("eager")
    steps = [told.data for told in run if told.kind == "step"]
    for number, told in enumerate(steps):
        drawn = run.sampler.step(number)
        logits = model(input_ids=torch.tensor([row.tokens for row in drawn])).logits
        right = [
            int(logits[index, place - 1].argmax()) == row.tokens[place]
            for index, row in enumerate(drawn)
            for place in range(1, len(row.tokens))
            if row.trained[place]
        ]
        assert told["train_accuracy"] == pytest.approx(sum(right) / len(right))
        assert told["tokens"] == sum(len(row.tokens) for row in drawn)
        assert told["computed_tokens"] == sum(len(tree.tokens) for tree in trees(drawn, 64)) < told["tokens"]
        for name in ("tokens", "computed_tokens"):
            assert told[f"{name}_per_second"] > 0
    assert run.state.tokens == sum(told["tokens"] for told in steps)
    assert run.state.computed_tokens == sum(told["computed_tokens"] for told in steps)
    assert [set(entry) for entry in run.state.curve if "train_loss" in entry] == [
        {"step", "train_loss", "train_accuracy", "learning_rate", "gradient_norm"}
    ] * 2


def test_early_stopping_ends_the_run_and_keeps_the_best(tmp_path):
    run = make_run(tmp_path, learning_rate=0.0, weight_decay=0.0, patience=2, validate_every=1)
    list(run)
    assert run.state.stopped_early
    assert run.state.step == 2
    assert run.state.best_step == 0


def test_every_epoch_holds_each_row_once():
    data = rows(37)
    sampler = Sampler(data, 8, seed=3)
    in_epoch = steps_in_epoch(37, 8)
    for epoch in range(3):
        drawn = [row.id for step in range(in_epoch) for row in sampler.step(epoch * in_epoch + step)]
        assert sorted(drawn) == sorted(row.id for row in data)
    assert [row.id for row in Sampler(data, 8, seed=3).step(7)] == [row.id for row in sampler.step(7)]


def test_labelled_rows_come_in_pairs_and_each_once_an_epoch():
    from tunesmith.products import EncodedRow

    data = [EncodedRow(str(n), [1] * (3 + n % 9), [], n % 5, 1.0, 3) for n in range(101)]
    sampler = Sampler(data, 16, seed=1)
    steps = [sampler.step(step) for step in range(steps_in_epoch(101, 16))]
    assert sorted(int(row.id) for rows in steps for row in rows) == list(range(101))
    partners = sum(sum(other.label == row.label for other in rows) > 1 for rows in steps for row in rows)
    assert partners > 95


def test_without_validation_rows_the_last_step_is_kept_and_a_stop_changes_nothing(tmp_path):
    def fresh(folder: Path) -> Run:
        return Run(trainable(), rows(40), [], partial(trees, budget=64), recipe(40, checkpoint_seconds=0), folder)

    whole = fresh(tmp_path / "whole")
    assert {told.kind for told in whole} == {"step"}
    first = fresh(tmp_path / "stopped")
    for told in first:
        if told.data["step"] == 7:
            break
    second = fresh(tmp_path / "stopped")
    kinds = [told.kind for told in second]
    assert kinds == ["resumed", *["step"] * (second.recipe.steps - 6)]
    assert_same(weights(second), weights(whole))
