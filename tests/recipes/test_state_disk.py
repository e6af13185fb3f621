"""A server's state on a disk that takes no more: nobody is told to move away what is sound."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tunesmith.deployment.state import State, Tables
from tunesmith.errors import TunesmithError

NOTES = Tables("notes", ("CREATE TABLE notes (text TEXT)",))


@pytest.fixture
def folder(disk: Callable[[int], Path]) -> Path:
    """A disk with a state that was closed in order."""
    folder = disk(250)
    state = State(folder / "state.db", [NOTES])
    state.change(lambda one: one.execute("INSERT INTO notes VALUES ('kept')"))
    state.close()
    return folder


def refusal(folder: Path) -> TunesmithError:
    with pytest.raises(TunesmithError) as told:
        State(folder / "state.db", [NOTES])
    assert "move it away" not in str(told.value)
    return told.value


def test_a_full_disk_is_told_and_the_state_is_there_when_it_has_room_again(folder: Path) -> None:
    filling = folder / "filling"
    filling.write_bytes(bytes(shutil.disk_usage(folder).free))
    assert refusal(folder).code == "disk_full"
    filling.unlink()
    state = State(folder / "state.db", [NOTES])
    assert [row["text"] for row in state.look(lambda one: one.execute("SELECT text FROM notes").fetchall())] == ["kept"]
    state.close()


def test_a_read_only_disk_is_told(folder: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    told = refusal(folder)
    assert told.code == "not_writable"
    assert "make the folder writable" in (told.fix or "")
