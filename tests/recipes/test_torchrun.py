"""`torchrun -m tunesmith run`: the training is shared, everything else is done and told once.

torchrun puts each process into a session of its own, so a kill has to name them all.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.recipes.small_project import environment, write_project
from tests.recipes.wholeness import assert_whole, weights_of
from tunesmith import Project
from tunesmith.artifact import Store, read_json
from tunesmith.products import BaseModel
from tunesmith.training.checkpoint import is_whole

LONGEST_WAIT = 300  # seconds
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "tunesmith"]


@contextmanager
def torchrun(project: Path, bases_cache: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """`torchrun --nproc-per-node 2 -m tunesmith WORDS` on the project; nothing of it outlives the block."""
    process = subprocess.Popen(
        [*TORCHRUN, *words, "--project", str(project)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(bases_cache),
    )
    try:
        yield process
    finally:
        kill(process)
        process.communicate()


def kill(process: subprocess.Popen[str]) -> None:
    """`kill -9` the launcher and what it started."""
    if process.poll() is None:
        for one in (*ranks_of(process).values(), process.pid):
            os.kill(one, signal.SIGKILL)


def ranks_of(process: subprocess.Popen[str]) -> dict[int, int]:
    """The process ids of the ranks."""
    children = psutil.Process(process.pid).children()
    return {int(one.environ()["RANK"]): one.pid for one in children if "RANK" in one.environ()}


def finish_shared(project: Path, bases_cache: Path, *words: str) -> tuple[int, str]:
    with torchrun(project, bases_cache, *words) as process:
        said, _ = process.communicate(timeout=LONGEST_WAIT)
        return process.returncode, said


def wait_until(holds: Callable[[], object], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + LONGEST_WAIT
    while not holds():
        assert process.poll() is None, "it ended before"
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)


def checkpoints(project: Path) -> list[Path]:
    return sorted((project / ".tunesmith" / "work").glob("train-*/checkpoints/step-*"))


def trained(project: Path) -> dict[str, Any]:
    artifact = Store(project / ".tunesmith").latest("train")
    assert artifact is not None
    return read_json(artifact.path / "train.json")


def losses(project: Path) -> list[float]:
    return [entry[name] for entry in trained(project)["curve"] for name in entry if name.endswith("_loss")]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, minilm: BaseModel, bases_cache: Path) -> tuple[Path, str]:
    """The project after a run of two ranks that nothing interrupted, and what it said."""
    project = write_project(tmp_path_factory.mktemp("torchrun") / "shared", checkpoint_seconds=3600)
    code, said = finish_shared(project, bases_cache, "run")
    assert code == 0, said
    return project, said


def test_two_processes_make_the_project_of_one_and_tell_it_once(tmp_path, shared, bases_cache, monkeypatch):
    project, said = shared
    assert_whole(project)
    for line in ("✓ collect", "✓ split", "train    shared by 2 processes", "✓ train", "✓ test", "report  "):
        assert said.count(line) == 1, said
    assert trained(project)["facts"]["processes"] == 2
    alone = write_project(tmp_path / "alone", checkpoint_seconds=3600)
    monkeypatch.setenv("TUNESMITH_CACHE", str(bases_cache))
    Project.open(alone).run(to="train")
    assert trained(alone)["facts"]["processes"] == 1
    assert len(losses(project)) == 16
    assert losses(project) == pytest.approx(losses(alone), abs=1e-5)


@pytest.mark.slow
def test_what_is_up_to_date_is_not_trained_again(tmp_path, shared, bases_cache):
    project = tmp_path / "again"
    shutil.copytree(shared[0], project)
    code, said = finish_shared(project, bases_cache, "run")
    assert code == 0
    assert "Everything is up to date" in said


@pytest.mark.slow
def test_both_ranks_killed_in_mid_run_end_with_the_weights_of_those_that_were_not(tmp_path, shared, bases_cache):
    project = write_project(tmp_path / "killed")
    for step in (2, 7):
        with torchrun(project, bases_cache, "run") as process:
            wait_until(lambda step=step: any(one.name >= f"step-{step:08d}" for one in checkpoints(project)), process)
            kill(process)
    code, said = finish_shared(project, bases_cache, "run")
    assert code == 0, said
    assert "going on from step" in said
    assert_whole(project)
    assert weights_of(project) == weights_of(shared[0])


@pytest.mark.slow
def test_ctrl_c_stops_both_ranks_after_one_step_with_a_checkpoint(tmp_path, shared, bases_cache):
    project = write_project(tmp_path / "stopped", checkpoint_seconds=3600)
    with torchrun(project, bases_cache, "train") as process:
        events = project / ".tunesmith" / "events.jsonl"
        wait_until(lambda: events.exists() and '"train_loss"' in events.read_text("utf-8"), process)
        ranks = ranks_of(process)
        assert sorted(ranks) == [0, 1]
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=LONGEST_WAIT)
    assert "the checkpoint is saved" in said
    assert not any(psutil.pid_exists(one) for one in ranks.values())
    [checkpoint] = checkpoints(project)
    assert is_whole(checkpoint)
    code, said = finish_shared(project, bases_cache, "run")
    assert code == 0, said
    assert f"going on from step {int(checkpoint.name[5:])} of " in said
    assert weights_of(project) == weights_of(shared[0])


@pytest.mark.slow
@pytest.mark.parametrize("lost", [0, 1])
def test_a_rank_that_is_killed_ends_the_other_with_words(tmp_path, bases_cache, lost):
    project = write_project(tmp_path / "lost")
    with torchrun(project, bases_cache, "train") as process:
        wait_until(lambda: checkpoints(project), process)
        os.kill(ranks_of(process)[lost], signal.SIGKILL)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f"rank {1 - lost} of 2: the processes that were launched together lost one of them" in said
    assert "[training_rank_lost]" in said


@pytest.mark.slow
def test_what_is_wrong_with_the_project_is_told_once(tmp_path, bases_cache):
    project = write_project(tmp_path / "wrong")
    (project / "tickets.jsonl").unlink()
    code, said = finish_shared(project, bases_cache, "run")
    assert code == 1  # torchrun's
    assert said.count("[missing_file]") == 1
    assert "training_rank" not in said
