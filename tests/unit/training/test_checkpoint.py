"""Which checkpoints are kept, and that a save can be killed between any two lines of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.unit.training.checkpoints import STEPS, VALIDATED, Two, assert_ends_as, flip_a_bit, make_run, steps_in
from tests.unit.training.kill_in_save import at_step, same
from tunesmith import artifact
from tunesmith.training import checkpoint
from tunesmith.training.checkpoint import FILES, MANIFEST, TENSORS

ROOT = Path(__file__).parents[3]


def test_the_last_two_are_kept_and_each_holds_the_best_weights(tmp_path: Path) -> None:
    run = make_run(tmp_path, learning_rate=1.0)  # so that it only gets worse
    best = {name: value.clone() for name, value in run.model.trained_state().items()}
    list(run)
    assert steps_in(tmp_path) == [STEPS - 1, STEPS]
    assert run.state.best_step == 0
    for directory in tmp_path.iterdir():
        shutil.copytree(directory, tmp_path.parent / "one" / directory.name)
        found, _ = checkpoint.newest(tmp_path.parent / "one")
        assert found is not None
        assert [name for name, value in found.best.items() if not torch.equal(value, best[name])] == []
        shutil.rmtree(tmp_path.parent / "one")
    assert [name for name, value in run.model.trained_state().items() if not torch.equal(value, best[name])] == []


def test_a_damaged_later_checkpoint_never_takes_the_place_of_a_whole_one(tmp_path: Path) -> None:
    for step in (20, 40):
        checkpoint.save(tmp_path, at_step(step))
    flip_a_bit(tmp_path / "step-00000040" / "weights.safetensors")
    for step, kept in ((21, [20, 21]), (22, [21, 22])):
        checkpoint.save(tmp_path, at_step(step))
        assert steps_in(tmp_path) == kept
    checkpoint.save(tmp_path, at_step(40))
    assert steps_in(tmp_path) == [22, 40]
    assert all(checkpoint.is_whole(directory) for directory in tmp_path.iterdir())


def test_a_damaged_checkpoint_of_the_same_step_is_replaced_and_a_whole_one_is_left(tmp_path: Path) -> None:
    for step in (1, 2):
        checkpoint.save(tmp_path, at_step(step))
    written = (tmp_path / "step-00000002").stat().st_ino
    checkpoint.save(tmp_path, at_step(2))
    assert (tmp_path / "step-00000002").stat().st_ino == written
    flip_a_bit(tmp_path / "step-00000002" / "best.safetensors")
    checkpoint.save(tmp_path, at_step(2))
    assert steps_in(tmp_path) == [1, 2]
    found, passed_over = checkpoint.newest(tmp_path)
    assert found is not None
    assert same(found, at_step(2))
    assert passed_over == []


def test_what_is_unfinished_is_taken_for_nothing_and_swept_away(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, at_step(1))
    shutil.copytree(tmp_path / "step-00000001", tmp_path / ".writing-1")
    shutil.copytree(tmp_path / "step-00000001", tmp_path / ".dropped-step-00000009")
    (tmp_path / "step-of-a-stranger").mkdir()
    found, passed_over = checkpoint.newest(tmp_path)
    assert found is not None
    assert same(found, at_step(1))
    assert passed_over == []
    checkpoint.save(tmp_path, at_step(2))
    assert sorted(path.name for path in tmp_path.glob(".*")) == []


def test_what_was_loaded_does_not_hang_on_its_files(tmp_path: Path) -> None:
    path = checkpoint.save(tmp_path, at_step(1))
    found, _ = checkpoint.newest(tmp_path)
    for name in TENSORS:
        file = path / f"{name}.safetensors"
        file.write_bytes(bytes(file.stat().st_size))
    assert found is not None
    assert same(found, at_step(1))


def kills_in_saves(folder: Path, *words: str) -> dict[str, object]:
    command = [sys.executable, "-m", "tests.unit.training.kill_in_save", str(folder), *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_a_kill_at_moments_of_a_save_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    found = kills_in_saves(tmp_path, "files", "6")
    assert found["faults"] == []
    assert found["moments"] > 80


@pytest.mark.soak
@pytest.mark.timeout(3000)
@pytest.mark.parametrize(("where", "stride", "least"), [("files", 1, 500), ("everywhere", 5, 1500)])
def test_a_kill_between_any_two_lines_of_a_save_leaves_a_whole_checkpoint(
    tmp_path: Path, where: str, stride: int, least: int
) -> None:
    found = kills_in_saves(tmp_path, where, str(stride))
    assert found["faults"] == []
    assert found["moments"] > least


def test_all_of_a_checkpoint_is_on_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut keeps what was synced, and nothing else is sure."""
    heard: list[tuple[str, str]] = []
    fsync, rename = os.fsync, Path.rename

    def synced(handle: int) -> None:
        heard.append(("sync", str(Path(f"/proc/self/fd/{handle}").readlink())))
        fsync(handle)

    def renamed(self: Path, target: Path) -> Path:
        heard.append(("rename", str(target)))
        return rename(self, target)

    folder = tmp_path / "checkpoints"
    monkeypatch.setattr(artifact.os, "fsync", synced)
    monkeypatch.setattr(Path, "rename", renamed)
    final = checkpoint.save(folder, at_step(1))
    place = heard.index(("rename", str(final)))
    before = [path for what, path in heard[:place] if what == "sync"]
    temporary = f"{folder}/.writing-{os.getpid()}"
    assert {f"{temporary}/{name}" for name in FILES} <= set(before)
    assert any(path.startswith(f"{temporary}/.{MANIFEST}.") for path in before)
    assert before[-1] == temporary  # the names of its files, the manifest's too
    assert str(tmp_path) in before  # its folder's own name
    assert ("sync", str(folder)) in heard[place:]


@pytest.mark.parametrize("stop", VALIDATED)
def test_stopping_between_a_step_and_its_validation_loses_no_validation(two: Two, tmp_path: Path, stop: int) -> None:
    """As Ctrl-C does: the checkpoint is saved when the step is told, before the validation that is due."""
    first = make_run(tmp_path)
    for told in first:
        if told.kind == "step" and told.data["step"] == stop:
            first.save()
            break
    second = make_run(tmp_path)
    list(second)
    assert_ends_as(second, two)
