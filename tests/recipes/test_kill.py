"""`kill -9` at any moment of `tunesmith run`, then `tunesmith run`: a whole project with the same model.

The commands are real processes and the whole process group is killed. Every copy of the project lies in a
folder of its own: ids hold paths relative to the project, so the models can be compared by their hashes.
"""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.recipes.small_project import finish, kill, started, write_project
from tests.recipes.wholeness import artifacts_of, assert_whole, weights_of
from tunesmith import Project
from tunesmith.artifact import MANIFEST, Store
from tunesmith.events import Event
from tunesmith.products import BaseModel
from tunesmith.training.checkpoint import is_whole

LONGEST_WAIT = 300  # seconds


@dataclass(frozen=True)
class Whole:
    """The project after a run that nothing interrupted, the seconds that took, and its model's hash."""

    folder: Path
    seconds: float
    weights: str


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, minilm: BaseModel, bases_cache: Path) -> Whole:
    folder = write_project(tmp_path_factory.mktemp("kill") / "whole")
    began = time.monotonic()
    code, said = finish(folder, bases_cache, "run")
    seconds = time.monotonic() - began
    assert code == 0, said
    assert_whole(folder)
    return Whole(folder, seconds, weights_of(folder))


def killed_after(seconds: float, project: Path, bases_cache: Path) -> bool:
    """Start `tunesmith run` and kill it after some seconds. False when it had ended before."""
    with started(project, bases_cache, "run") as process:
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            kill(process)
        process.wait()
        if process.returncode != -signal.SIGKILL:
            assert process.returncode == 0
            return False
    artifacts_of(project)  # what is there is whole
    return True


def moments(count: int, seconds: float, seed: int) -> list[float]:
    """Random moments, one in each ``count``-th of the time, in random order."""
    rng = random.Random(seed)
    found = [(number + rng.random()) * seconds / count for number in range(count)]
    rng.shuffle(found)
    return found


def assert_ends_whole(project: Path, whole: Whole, bases_cache: Path) -> None:
    code, said = finish(project, bases_cache, "run")
    assert code == 0, said
    assert_whole(project)
    assert weights_of(project) == whole.weights


def test_a_project_killed_three_times_ends_whole_with_the_same_weights(
    tmp_path: Path, whole: Whole, bases_cache: Path
) -> None:
    project = write_project(tmp_path / "killed 0")
    kills = copies = 0
    for moment in sorted(moments(3, whole.seconds, seed=0), reverse=True):
        while not killed_after(moment, project, bases_cache):  # the machine was faster this time
            moment /= 2
            copies += 1
            project = write_project(tmp_path / f"killed {copies}")
        kills += 1
    assert kills == 3
    assert_ends_whole(project, whole, bases_cache)


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("tenth", range(10))
def test_a_kill_at_a_random_moment_of_each_tenth_of_a_run_ends_with_the_same_weights(
    tmp_path: Path, whole: Whole, bases_cache: Path, tenth: int
) -> None:
    moment = sorted(moments(10, whole.seconds, seed=1))[tenth]
    copies = 0
    while not killed_after(moment, project := write_project(tmp_path / str(copies)), bases_cache):
        moment *= 0.9
        copies += 1
    assert_ends_whole(project, whole, bases_cache)


def events_of(project: Path) -> list[dict[str, Any]]:
    try:
        lines = (project / ".tunesmith" / "events.jsonl").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines]


def steps_of(events: list[dict[str, Any]]) -> list[int]:
    return [event["data"]["step"] for event in events if event["kind"] == "metric" and "train_loss" in event["data"]]


def wait_until(holds: Callable[[], object], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + LONGEST_WAIT
    while not holds():
        assert process.poll() is None, "it ended before"
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)


def test_ctrl_c_in_training_saves_a_checkpoint_and_the_next_run_goes_on(
    tmp_path: Path, whole: Whole, bases_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = write_project(tmp_path / "stopped", checkpoint_seconds=3600)  # none but the one that the stop saves
    with started(project, bases_cache, "run") as process:
        wait_until(lambda: len(steps_of(events_of(project))) >= 2, process)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=LONGEST_WAIT)
    assert process.returncode == 130, said
    assert "the checkpoint is saved" in said
    taken = steps_of(events_of(project))
    [checkpoint] = (project / ".tunesmith" / "work").glob("train-*/checkpoints/*")
    assert checkpoint.name == f"step-{taken[-1]:08d}"
    assert is_whole(checkpoint)

    told: list[Event] = []
    monkeypatch.setenv("TUNESMITH_CACHE", str(bases_cache))
    Project.open(project).run(to="train", on_event=told.append)
    after = [asdict(event) for event in told]
    notes = [event["data"]["text"] for event in after if event["kind"] == "note"]
    total = {event["data"]["total"] for event in after if event["kind"] == "progress" and event["stage"] == "train"}
    assert f"going on from step {taken[-1]} of {max(total)}" in notes
    assert steps_of(after)[0] == taken[-1] + 1
    assert weights_of(project) == whole.weights


@pytest.mark.parametrize("left", ["model", "manifest"])
def test_a_kill_between_training_and_its_last_rename_costs_no_training(tmp_path: Path, whole: Whole, left: str) -> None:
    project = tmp_path / "late"
    shutil.copytree(whole.folder, project)
    store = Store(project / ".tunesmith")
    train, test = store.latest("train"), store.latest("test")
    assert train is not None
    assert test is not None
    work = train.path.rename(store.work / train.path.name)
    shutil.rmtree(test.path)
    (work / ".train.json.1.tmp").write_text("half", encoding="utf-8")
    if left == "model":
        (work / MANIFEST).unlink()
    told: list[Event] = []
    result = Project.open(project).run(on_event=told.append)
    assert result.made == ["train", "test"]
    assert not any(event.stage == "train" and event.kind == "metric" for event in told)
    assert_whole(project)
    assert weights_of(project) == whole.weights
    assert Project.open(project).run().made == []


def test_what_a_kill_left_of_a_stage_with_other_settings_is_swept_away(tmp_path: Path, whole: Whole) -> None:
    project = tmp_path / "swept"
    shutil.copytree(whole.folder, project)
    root = project / ".tunesmith"
    (root / "work" / "clean-0123456789abcdef").mkdir()
    (root / "work" / "clean-0123456789abcdef" / "examples.parquet").write_bytes(b"PAR1")
    (root / "work" / "damaged-test-0123456789abcdef-42").mkdir()
    (root / "latest" / ".clean.42.tmp").write_text("01", encoding="utf-8")
    assert Project.open(project).run().made == []
    assert_whole(project)
