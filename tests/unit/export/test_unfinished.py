"""What an export that was killed leaves is deleted, and nothing else."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from tunesmith import InputError, Project
from tunesmith.deployment.tables import open_state
from tunesmith.export.run import _beside
from tunesmith.export.unfinished import before_of, sweep, work_beside
from tunesmith.server.opening import open_routes
from tunesmith.server.served import Wanted
from tunesmith.server.site import Site

GONE = 999_999_999


def left(folder: Path, *names: str) -> list[Path]:
    """Folders as an export makes them, with a model in each."""
    for name in names:
        (folder / name).mkdir(parents=True)
        (folder / name / "m.gguf").write_text(name)
    return [folder / name for name in names]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_killed_exports_left_goes_and_the_rest_stays(tmp_path: Path) -> None:
    left(tmp_path, f".gguf-f16.{GONE}.tmp", f".mine.v2.{GONE}.tmp", f".gguf-q8_0.before.{GONE}.tmp", "gguf-q8_0")
    kept = [f".gguf-f16.{os.getpid()}.tmp", f"gguf.{GONE}.tmp", ".notes.tmp", ".gguf-f16.x1.tmp"]
    left(tmp_path, *kept)
    (tmp_path / f".file.{GONE}.tmp").write_text("not a folder")
    sweep(tmp_path)
    assert names_in(tmp_path) == sorted([*kept, "gguf-q8_0", f".file.{GONE}.tmp"])
    assert (tmp_path / "gguf-q8_0" / "m.gguf").read_text() == "gguf-q8_0"
    sweep(tmp_path / "nowhere")


def test_an_export_in_another_container_is_left_alone(tmp_path: Path) -> None:
    """There a process has another number, or none; its lock is seen."""
    [work] = left(tmp_path, f".gguf-f16.{GONE}.tmp")
    handle = os.open(work, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    sweep(tmp_path)
    assert (work / "m.gguf").exists()
    os.close(handle)
    sweep(tmp_path)
    assert names_in(tmp_path) == []


def test_an_export_at_work_holds_its_folder_even_when_its_number_is_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getpid", lambda: GONE)
    with work_beside(tmp_path / "gguf-f16") as work:
        sweep(tmp_path)
        assert work.is_dir()
    assert names_in(tmp_path) == []
    assert before_of(tmp_path / "gguf-f16").name == f".gguf-f16.before.{GONE}.tmp"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with an export in either folder, and beside each what one that was killed left."""
    project = Project.create(tmp_path / "new", input="text", output="label")
    for folder in exports_of(project):
        left(folder, f".1a2b-gguf-f16.{GONE}.tmp", "1a2b-gguf-f16")
    return project


def exports_of(project: Project) -> list[Path]:
    return [project.root / "exports", project.store.root / "serve" / "exports"]


def test_serve_deletes_what_killed_exports_left(project: Project) -> None:
    state = open_state(project.store.root)
    with pytest.raises(InputError, match="nothing was trained yet"):
        open_routes(project, Site(project.name, state), Wanted())
    state.close()
    assert [names_in(folder) for folder in exports_of(project)] == [["1a2b-gguf-f16"]] * 2


def test_deploy_deletes_what_killed_exports_left(project: Project) -> None:
    open_state(project.store.root).close()
    with pytest.raises(InputError, match="unknown_version"):
        project.deploy("@3f2a")
    assert [names_in(folder) for folder in exports_of(project)] == [["1a2b-gguf-f16"]] * 2


def test_a_write_that_failed_is_told_of_the_folder_that_was_to_be_written(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space") as caught, _beside(tmp_path / "gguf-f16"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert caught.value.filename == str(tmp_path / "gguf-f16")
    assert names_in(tmp_path) == []
