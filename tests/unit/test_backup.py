"""`tunesmith backup`: a copy that can be used, made while a server writes."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import stat
import threading
from pathlib import Path

import pytest

from tunesmith import Project
from tunesmith.backup import back_up
from tunesmith.cli.main import main
from tunesmith.deployment.state import FILE, State, Tables
from tunesmith.errors import InputError, TunesmithError
from tunesmith.server.keys import FILE as KEYS
from tunesmith.server.keys import Keys, Limits

TABLES = (Tables("rows", ("CREATE TABLE rows (number INTEGER PRIMARY KEY)",)),)


def numbers(state: State) -> list[int]:
    return [row["number"] for row in state.look(lambda one: one.execute("SELECT number FROM rows").fetchall())]


def test_a_copy_made_while_the_state_is_written_has_all_that_was_committed_before(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "project", input="text", output="label")
    key = Keys(project.store.root / KEYS).make("first", Limits())
    state = State(project.store.root / FILE, TABLES)
    committed, over = [0], threading.Event()

    def write() -> None:
        while not over.is_set():
            number = committed[-1] + 1
            state.change(lambda one, number=number: one.execute("INSERT INTO rows VALUES (?)", (number,)) and None)
            committed.append(number)

    writing = threading.Thread(target=write)
    writing.start()
    try:
        while len(committed) < 50:
            pass
        before = committed[-1]
        made = back_up(project, tmp_path / "copies" / "one")
    finally:
        over.set()
        writing.join()
        state.close()
    copy = Project.open(made.folder)
    assert copy.name == project.name
    assert Keys(copy.store.root / KEYS).holder_of(key) is not None
    assert stat.S_IMODE((copy.store.root / KEYS).stat().st_mode) == 0o600
    assert stat.S_IMODE((copy.store.root / FILE).stat().st_mode) == 0o600
    copied = State(copy.store.root / FILE, TABLES)
    found = numbers(copied)
    copied.close()
    assert len(found) >= before
    assert found == list(range(1, len(found) + 1))
    assert [path.name for path in (tmp_path / "copies").iterdir()] == ["one"]


def test_what_passes_is_left_out_and_the_rest_is_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = Project.create(tmp_path / "project", input="text", output="label")
    (project.root / "rows.csv").write_text("a,b\n")
    (project.root / "link").symlink_to("rows.csv")
    inner = project.store.root
    for name in ("work/half", "artifacts/whole", "artifacts/.begun.1.tmp", "empty"):
        (inner / name).mkdir(parents=True)
        if name != "empty":
            (inner / name / "file").write_text(name)
    assert main(["backup", str(tmp_path / "copy"), "--project", str(project.root)]) == 0
    assert "MB in" in capsys.readouterr().out
    copy = tmp_path / "copy"
    assert (copy / "rows.csv").read_text() == "a,b\n"
    assert (copy / "link").readlink() == Path("rows.csv")
    assert sorted(path.name for path in (copy / ".tunesmith" / "artifacts").iterdir()) == ["whole"]
    assert not (copy / ".tunesmith" / "work").exists()
    assert (copy / ".tunesmith" / "empty").is_dir()


def test_a_copy_can_be_made_beside_the_folder_that_one_is_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project.create(tmp_path / "project", input="text", output="label")
    monkeypatch.chdir(project.root)
    made = back_up(project, Path("../copies/monday"))
    assert made.folder == (tmp_path / "copies" / "monday").resolve()
    assert Project.open(made.folder).name == project.name
    for inside in ("copy", "../project/copy", "../copies/../project/copy"):
        with pytest.raises(InputError) as refused:
            back_up(project, Path(inside))
        assert refused.value.code == "backup_inside"


def test_a_copy_is_never_made_over_or_inside_of_something_nor_of_a_damaged_state(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "project", input="text", output="label")
    (tmp_path / "there").mkdir()
    with pytest.raises(InputError) as exists:
        back_up(project, tmp_path / "there")
    with pytest.raises(InputError) as inside:
        back_up(project, project.root / "copy")
    state = project.store.root / FILE
    state.parent.mkdir(parents=True)
    state.write_bytes(b"no database at all, but long enough to be looked at" * 100)
    with pytest.raises(TunesmithError) as damaged:
        back_up(project, tmp_path / "copy")
    assert [error.value.code for error in (exists, inside, damaged)] == [
        "backup_exists",
        "backup_inside",
        "backup_damaged",
    ]
    assert not (tmp_path / "copy").exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".tmp")] == []
    assert isinstance(damaged.value.__cause__, sqlite3.DatabaseError)


def test_a_full_disk_is_told_of_the_copy_and_not_of_the_file_that_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = Project.create(tmp_path / "project", input="text", output="label")

    def full(source: Path, target: Path, **more: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(source), None, str(target))

    monkeypatch.setattr(shutil, "copy2", full)
    assert main(["backup", str(tmp_path / "copies" / "one"), "--project", str(project.root)]) == 2
    told = capsys.readouterr().err
    assert "disk_full" in told
    assert told.startswith(str(tmp_path / "copies"))
    assert list((tmp_path / "copies").iterdir()) == []
