"""The server's state: what was told as kept is kept, whatever happens then."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tunesmith.deployment.state import State, Tables
from tunesmith.errors import InputError, TunesmithError

NOTES = Tables("notes", ("CREATE TABLE notes (words TEXT UNIQUE)",))


def add(words: str):
    return lambda connection: connection.execute("INSERT INTO notes VALUES (?)", (words,)).lastrowid


def words_in(state: State) -> list[str]:
    return [row["words"] for row in state.look(lambda one: one.execute("SELECT words FROM notes").fetchall())]


def test_a_change_that_fails_undoes_itself_alone(tmp_path: Path):
    state = State(tmp_path / "serve" / "state.db", [NOTES])

    async def several() -> list[object]:
        return await asyncio.gather(*(state.write(add(one)) for one in ("a", "b", "a", "c")), return_exceptions=True)

    told = asyncio.run(several())
    assert [type(one).__name__ for one in told] == ["int", "int", "IntegrityError", "int"]
    assert words_in(state) == ["a", "b", "c"]
    state.close()


def test_another_process_sees_what_was_committed_and_may_write(tmp_path: Path):
    first, second = State(tmp_path / "state.db", [NOTES]), State(tmp_path / "state.db", [NOTES])
    first.change(add("from the first"))
    second.change(add("from the second"))
    assert words_in(first) == words_in(second) == ["from the first", "from the second"]


def test_nobody_else_may_read_the_file(tmp_path: Path):
    State(tmp_path / "state.db", [NOTES])
    assert (tmp_path / "state.db").stat().st_mode & 0o077 == 0


def test_later_steps_are_added_to_tables_that_are_there(tmp_path: Path):
    State(tmp_path / "state.db", [NOTES]).change(add("old"))
    longer = Tables("notes", (*NOTES.steps, "ALTER TABLE notes ADD COLUMN more INTEGER DEFAULT 7"))
    state = State(tmp_path / "state.db", [longer])
    assert state.look(lambda one: one.execute("SELECT more FROM notes").fetchone()["more"]) == 7
    with pytest.raises(InputError, match="newer_state"):
        State(tmp_path / "state.db", [NOTES])


def test_a_file_that_is_no_database_is_told(tmp_path: Path):
    (tmp_path / "state.db").write_bytes(b"this is no database at all" * 100)
    with pytest.raises(InputError, match="damaged_state"):
        State(tmp_path / "state.db", [NOTES])


WRITER = """
import sys
from pathlib import Path
from tests.unit.deployment.test_state import NOTES, add
from tunesmith.deployment.state import State
state = State(Path(sys.argv[1]), [NOTES])
for number in range(100_000):
    state.change(add(str(number)))
    print(number, flush=True)
"""


def test_what_was_told_as_kept_survives_a_kill(tmp_path: Path):
    command = [sys.executable, "-c", WRITER, str(tmp_path / "state.db")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    told = [process.stdout.readline() for _ in range(50)]
    os.kill(process.pid, signal.SIGKILL)
    told += process.stdout.readlines()
    process.communicate()
    kept = {row[0] for row in sqlite3.connect(tmp_path / "state.db").execute("SELECT words FROM notes")}
    assert {line.strip() for line in told if line.endswith("\n")} <= kept


def test_a_full_disk_is_told_as_such(tmp_path: Path):
    state = State(tmp_path / "state.db", [NOTES])
    state.change(lambda one: one.execute("PRAGMA max_page_count = 6"))
    with pytest.raises(TunesmithError, match="disk_full"):
        state.change(add("words" * 100_000))
    state.change(add("a short one"))
    assert words_in(state) == ["a short one"]


def test_a_state_that_another_holds_is_not_called_damaged(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("tunesmith.deployment.state.PATIENCE", 0.05)
    state = State(tmp_path / "state.db", [NOTES])
    other = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(TunesmithError, match="state_in_use"):
        state.change(add("while it is held"))
    with pytest.raises(TunesmithError, match="state_in_use"):
        State(tmp_path / "state.db", [NOTES])
    other.execute("ROLLBACK")
    state.change(add("after"))
    assert words_in(state) == ["after"]
    state.close()


def test_what_another_writes_to_can_be_opened_to_look(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("tunesmith.deployment.state.PATIENCE", 0.05)
    state = State(tmp_path / "state.db", [NOTES])
    state.change(add("before"))
    other = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # as little can be written as on a full disk
    looking = State(tmp_path / "state.db", [NOTES], to_look=True)
    assert words_in(looking) == ["before"]
    looking.close()
    with pytest.raises(TunesmithError, match="state_in_use"):  # a table that is missing must be made
        State(tmp_path / "state.db", [NOTES, Tables("more", ("CREATE TABLE more (words TEXT)",))], to_look=True)
    other.execute("ROLLBACK")
    state.close()


def test_what_comes_after_the_end_is_refused_and_does_not_wait_for_ever(tmp_path: Path):
    state = State(tmp_path / "state.db", [NOTES])
    state.change(add("before"))
    state.close()
    with pytest.raises(RuntimeError, match="closed"):
        state.change(add("after"))
