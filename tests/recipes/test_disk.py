"""A disk that fills up amid a training pauses it: whole checkpoints, plain words, and the same weights in the end."""

from __future__ import annotations

import re
import resource
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.recipes.tiny_project import KINDS, result_of, write_base, write_tiny_project
from tests.recipes.wholeness import artifacts_of
from tunesmith import Project
from tunesmith.cli.main import main
from tunesmith.errors import TunesmithError
from tunesmith.events import Event
from tunesmith.training import checkpoint

KIND = KINDS["language_model"]
PAGE = resource.getpagesize()
#: Pages of a disk that has room for all.
ROOMY = 4000


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that nothing paused; its base lies beside it."""
    root = tmp_path_factory.mktemp("disk")
    project = write_tiny_project(root / "whole", KIND, write_base(root / "base", KIND))
    Project.open(project).run(to="train")
    return project


def fill(folder: Path, left: int) -> Path:
    """Fill the disk that a folder is on until so many bytes are left. Returns the file that does it."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        while (free := _free(folder)) - left >= PAGE:
            file.write(bytes(min(2**20, (free - left) // PAGE * PAGE)))
    return ballast


def _on_disk(path: Path) -> int:
    return -(-path.stat().st_size // PAGE) * PAGE


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def train_until(project: Path, stop: Callable[[Event], bool], then: Callable[[], object]) -> TunesmithError:
    """Train, and do something at an event; the run must then end with an error that is told."""

    def on_event(event: Event) -> None:
        if stop(event):
            then()

    with pytest.raises(TunesmithError) as caught:
        Project.open(project).run(to="train", on_event=on_event)
    return caught.value


def work_of(project: Path) -> Path:
    [work] = (project / ".tunesmith" / "work").glob("train-*")
    return work


def assert_paused_at(project: Path, step: int) -> None:
    """The checkpoint of this step is the newest and whole, and nothing half-written is left anywhere."""
    artifacts_of(project)
    folder = work_of(project) / "checkpoints"
    found, damaged = checkpoint.newest(folder)
    assert found is not None
    assert found.state["step"] == step
    assert damaged == []
    assert all(checkpoint.is_whole(directory) for directory in folder.iterdir())
    assert [path.name for path in work_of(project).rglob("*.tmp")] == []
    assert not (work_of(project) / "model").exists()


def test_a_disk_that_fills_up_amid_a_training_pauses_it_and_it_goes_on(
    disk: Callable[[int], Path], whole: Path
) -> None:
    """Full at once, and full amid each of the files of a checkpoint."""
    place = disk(ROOMY)
    project = write_tiny_project(place / "project", KIND, whole.parent / "base")
    size = 0
    for step, share in ((2, 0.0), (3, 0.1), (4, 0.4), (5, 0.7), (6, 0.98)):
        left = int(size * share)

        def at_this_step(event: Event, step: int = step) -> bool:
            return event.kind == "metric" and event.data["step"] == step and "train_loss" in event.data

        error = train_until(project, at_this_step, lambda left=left: fill(place, left))
        assert (error.code, error.exit_code) == ("disk_full", 2)
        assert_paused_at(project, step - 1)
        size = sum(_on_disk(path) for path in (work_of(project) / "checkpoints" / f"step-{step - 1:08d}").iterdir())
        if share:
            [(takes, free)] = re.findall(r"a checkpoint takes about ([\d,]+) bytes and ([\d,]+) are free", error.what)
            assert int(takes.replace(",", "")) == pytest.approx(size, rel=0.15)
            assert int(free.replace(",", "")) <= left + PAGE
            assert error.where == str(work_of(project) / "checkpoints")
            assert f"`tunesmith run` goes on from step {step - 1}" in error.fix
        (place / "ballast").unlink()
    Project.open(project).run(to="train")
    assert result_of(project) == result_of(whole)


def test_a_disk_that_fills_up_under_the_model_costs_no_training(disk: Callable[[int], Path], whole: Path) -> None:
    place = disk(ROOMY)
    project = write_tiny_project(place / "project", KIND, whole.parent / "base")

    def trained(event: Event) -> bool:
        return event.kind == "note" and str(event.data["text"]).startswith("The model ")

    error = train_until(project, trained, lambda: fill(place, 40_000))
    assert error.code == "disk_full"
    assert re.search(r"the disk is full: the model takes about [\d,]+ bytes and [\d,]+ are free", error.what)
    assert_paused_at(project, 9)
    assert not (work_of(project) / "examples.parquet").exists()
    (place / "ballast").unlink()
    told: list[Event] = []
    Project.open(project).run(to="train", on_event=told.append)
    assert [event for event in told if event.kind == "metric"] == []
    assert result_of(project) == result_of(whole)


def test_the_command_tells_how_much_room_a_checkpoint_needs(
    disk: Callable[[int], Path], whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = disk(ROOMY)
    project = write_tiny_project(place / "project", KIND, whole.parent / "base")
    Project.open(project).run(to="split")
    used = ROOMY * PAGE - _free(place)
    _resize(place, used // PAGE + 40)
    words = ["run", "--to", "train", "--project", str(project)]
    assert main(words) == 2
    told = capsys.readouterr().err
    assert "the disk is full: a checkpoint takes about" in told
    assert "nothing half-written was kept [disk_full]" in told
    assert "`tunesmith run` begins anew" in told
    _resize(place, ROOMY)
    assert main(words) == 0
    assert result_of(project) == result_of(whole)


def _resize(place: Path, pages: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={pages * PAGE}", str(place)], check=True)


def test_a_limit_on_file_sizes_pauses_a_training_alike(tmp_path: Path, whole: Path) -> None:
    """The same without a disk of its own, where none may be mounted."""
    project = write_tiny_project(tmp_path / "project", KIND, whole.parent / "base")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))

    def third(event: Event) -> bool:
        return event.kind == "metric" and event.data["step"] == 3

    try:
        error = train_until(project, third, limit)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert error.code == "disk_full"
    assert "a limit on the size of files is in the way (`ulimit -f`): a checkpoint takes about" in error.what
    assert "the checkpoint of step 2 is whole" in error.what
    assert_paused_at(project, 2)
    Project.open(project).run(to="train")
    assert result_of(project) == result_of(whole)
