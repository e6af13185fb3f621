"""Several processes take the steps of one, hold the same weights, and none waits for ever for one that is gone."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from tests.unit.training.rank_processes import (
    LONGEST_WAIT,
    digest,
    drift,
    exchange,
    finish,
    launched,
    lose,
    make_run,
    read,
    train,
    wait_until,
)
from tunesmith.training import checkpoint
from tunesmith.training.ranks import ALONE, Ranks

KINDS = ["causal_lm", "classifier"]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two ranks said of a run of each kind that nothing interrupted."""
    folder = tmp_path_factory.mktemp("two")
    finish(train, folder, kinds=KINDS)
    return folder


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """What one process says of the same runs."""
    found = {}
    for kind in KINDS:
        run = make_run(kind, tmp_path_factory.mktemp("alone"), ALONE, checkpoint_seconds=3600)
        found[kind] = [{"kind": one.kind, **one.data, "weights": digest(run)} for one in run]
    return found


def values(told: list[dict[str, Any]], name: str) -> list[float]:
    return [one[name] for one in told if name in one]


@pytest.mark.parametrize("kind", KINDS)
def test_two_ranks_give_the_losses_of_one_process(two, alone, kind):
    told = read(two, f"{kind}-0")["told"]
    assert [one["kind"] for one in told] == [one["kind"] for one in alone[kind]]
    for name, least in (("train_loss", 12), ("validation_loss", 6), ("validation_accuracy", 6)):
        mine, theirs = values(told, name), values(alone[kind], name)
        assert len(mine) >= least
        assert mine == pytest.approx(theirs, abs=1e-5, rel=0), name
    norms = values(told, "gradient_norm")
    assert norms == pytest.approx(values(alone[kind], "gradient_norm"), rel=1e-4)
    losses = values(told, "train_loss")
    assert losses[-1] < 0.9 * losses[0]  # it learned


@pytest.mark.parametrize("kind", KINDS)
def test_after_every_step_all_ranks_hold_the_same_weights_bit_for_bit(two, kind):
    first, second = (read(two, f"{kind}-{rank}")["told"] for rank in (0, 1))
    assert len(first) >= 18
    assert [one["weights"] for one in first] == [one["weights"] for one in second]
    assert len(set(values(first, "weights"))) >= 12


@pytest.mark.parametrize("kind", KINDS)
def test_the_ledger_of_every_rank_is_the_one_of_one_process(two, alone, kind, tmp_path):
    first, second = (read(two, f"{kind}-{rank}")["ledger"] for rank in (0, 1))
    assert first == second
    assert len(first) == 30
    assert all(len(line["steps"]) == 3 and line["loss"] > 0 for line in first)


def test_killed_ranks_end_with_the_weights_of_those_that_were_not(two, tmp_path):
    folder = tmp_path / "killed"
    for step in (2, 7):
        with launched(train, folder, checkpoint_seconds=0) as processes:
            wait_until(lambda step=step: list((folder / "causal_lm").glob(f"step-{step:08d}")))
            for process in processes:
                process.kill()
    assert not (folder / "causal_lm.safetensors").exists()
    finish(train, folder, checkpoint_seconds=0)
    told = read(folder, "causal_lm-0")["told"]
    assert told[0]["kind"] == "resumed"
    assert told[0]["step"] >= 7
    assert values(told, "weights") == values(read(folder, "causal_lm-1")["told"], "weights")
    whole, resumed = (load_file(one / "causal_lm.safetensors") for one in (two, folder))
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert read(folder, "causal_lm-0")["ledger"] == read(two, "causal_lm-0")["ledger"]


def test_a_run_of_two_ranks_goes_on_in_one_process(two, tmp_path):
    with launched(train, tmp_path, checkpoint_seconds=0) as processes:
        wait_until(lambda: list((tmp_path / "causal_lm").glob("step-00000003")))
        for process in processes:
            process.kill()
    run = make_run("causal_lm", tmp_path / "causal_lm", ALONE)
    told = [{"kind": one.kind, **one.data} for one in run]
    assert told[0]["kind"] == "resumed"
    mine = values(told, "train_loss")
    assert mine == pytest.approx(values(read(two, "causal_lm-0")["told"], "train_loss")[-len(mine) :], abs=1e-5)


def test_a_step_that_is_not_finite_in_one_rank_is_skipped_in_all(tmp_path):
    finish(train, tmp_path, not_finite_in=[2, 5])
    first, second = (read(tmp_path, f"causal_lm-{rank}") for rank in (0, 1))
    assert [one["step"] for one in first["skipped"]] == [2, 5]
    assert first["skipped"] == second["skipped"]
    weights = values(first["told"], "weights")
    assert weights == values(second["told"], "weights")
    assert weights[2] == weights[1]  # of the validation before training, step 1, step 2
    trained = [line["steps"] for line in first["ledger"]]
    assert not any({2, 5} & set(steps) for steps in trained)


@pytest.mark.parametrize(
    ("way", "code", "said"),
    [
        ("kill", "training_rank_lost", "lost one of them"),
        ("stop", "training_rank_lost", "did not answer for 2 seconds"),
        ("raise", "training_rank_failed", "rank 1: the disk of this machine is gone"),
    ],
)
def test_a_rank_that_is_gone_leaves_no_other_hanging(tmp_path, way, code, said):
    with launched(lose, tmp_path, way=way, timeout=2) as processes:
        began = time.monotonic()
        processes[0].join(LONGEST_WAIT)
        assert processes[0].exitcode == 0
        assert time.monotonic() - began < 30
    found, what = read(tmp_path, "error-0")
    assert found == code
    assert said in what


def test_a_rank_that_never_comes_is_told(tmp_path):
    with launched(lose, tmp_path, missing=1, timeout=1) as [process]:
        process.join(LONGEST_WAIT)
        assert process.exitcode == 0
    code, what = read(tmp_path, "error-0")
    assert code == "training_rank_lost"
    assert "did not find each other" in what


def test_the_ranks_that_wait_hear_that_the_first_is_gone(tmp_path):
    with launched(_wait_for_orders, tmp_path) as processes:
        wait_until(lambda: (tmp_path / "heard").exists())
        processes[0].kill()
        processes[1].join(LONGEST_WAIT)
        assert processes[1].exitcode == 0
    assert read(tmp_path, "error-1")[0] == "training_rank_lost"


def _wait_for_orders(ranks: Ranks, folder: Path, wanted: dict[str, Any]) -> None:
    if ranks.first:
        ranks.order({"number": 1})
        time.sleep(LONGEST_WAIT)
    for order in ranks.orders(lambda: False):  # type: ignore[attr-defined]
        (folder / "heard").write_text(str(order["number"]))


def test_ranks_that_drift_apart_are_found_before_a_checkpoint_is_written(tmp_path):
    finish(drift, tmp_path)
    for rank in (0, 1):
        assert read(tmp_path, f"error-{rank}")[0] == "training_ranks_differ"
    found, _ = checkpoint.newest(tmp_path / "run")
    assert found is not None
    assert found.state["step"] == 2


def test_every_exchange_gives_each_rank_what_it_promises(tmp_path):
    finish(exchange, tmp_path, size=3)
    said = [read(tmp_path, f"exchange-{rank}") for rank in range(3)]
    assert [one.pop("share") for one in said] == [[0, 1], [2, 3], [4]]
    assert said[0] == said[1] == said[2]
    assert said[0] == {
        "gradients": [[[6.0, 6.0]] * 2, [[5.0, 5.0]] * 2, None],
        "gathered": [[], [[0], [1]], [[0], [1], [2], [3]]],
        "facts": [{"rank": rank, "words": "é" * rank} for rank in range(3)],
        "long": ["é" * 3000 * rank for rank in range(3)],
        "told": {"from": 0},
        "told long": ["x" * 20_000, 0],
        "broadcast": [1.0],
        "transposed": [[1, 3], [2, 4]],
        "spread": {
            "half": ["torch.bfloat16", [0.5] * 3],
            "number": ["torch.int64", 7],
            "none": ["torch.float32", []],
        },
    }


@given(items=st.lists(st.integers()), size=st.integers(1, 9))
def test_every_item_is_in_one_share_and_shares_are_even(items, size):
    shares = []
    for rank in range(size):
        one = Ranks()
        one.rank, one.size = rank, size
        shares.append(list(one.share(items)))
    assert [item for share in shares for item in share] == items
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert all(shares[rank] or rank for rank in range(size)) or not items


@given(workers=st.integers(1, 40), size=st.integers(1, 9))
def test_there_are_lanes_for_every_worker_and_as_many_in_each_rank(workers, size):
    one = Ranks()
    one.size = size
    assert one.lanes(workers) == one.workers(workers) * size >= workers
    assert one.lanes(workers) - workers < size
