"""A server's state in SQLite: what was committed survives a kill, and several processes may look and write.

Writes of one process go through one thread, which commits together what comes together: a commit costs the disk's time
once for many requests.
"""

from __future__ import annotations

import asyncio
import queue
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tunesmith.artifact import make_folder
from tunesmith.errors import InputError, TunesmithError

#: In a project's own folder.
FILE = "serve/state.db"
#: Changes that are committed together at most.
TOGETHER = 256
#: Seconds that a change waits for another process's.
PATIENCE = 30.0
#: How often, after which pause in seconds, and for how long the write-ahead log is tried to be emptied.
WIPE_TRIES, WIPE_PAUSE, WIPE_MILLISECONDS = 20, 0.5, 50
#: The bits of SQLite's error codes that say what went wrong; those above say where.
PRIMARY = 0xFF

Found = TypeVar("Found")
Work = Callable[[sqlite3.Connection], Found]


@dataclass(frozen=True)
class Tables:
    """Tables that belong together. ``steps``: SQL statements in the order in which they came to be; only add to it."""

    name: str
    steps: tuple[str, ...]


class State:
    """The database of one project. Raises InputError ``damaged_state`` where the file is no such database.

    ``write`` and ``read`` are for an event loop, ``change`` and ``look`` for commands. When ``write`` or ``change``
    return, the change is committed. With ``to_look`` nothing is written where the tables are as they should be, so that
    it can be looked at on a full disk too.
    """

    def __init__(self, path: Path, tables: Sequence[Tables] = (), *, to_look: bool = False) -> None:
        self.path = path
        make_folder(path.parent)
        self._waiting: queue.SimpleQueue[tuple[Work[Any], Future[Any]] | None] = queue.SimpleQueue()
        self._reader = threading.local()
        self._readers: list[sqlite3.Connection] = []
        self._closed = False
        self._giving = threading.Lock()
        try:
            self._writer = self._connect()
            try:
                if not (to_look and _is_up_to_date(self._writer, tables)):
                    self._prepare(tables)
            except BaseException:
                self._writer.close()
                raise
        except sqlite3.DatabaseError as error:
            raise _told(error, path) from error
        if path.stat().st_mode & 0o777 != 0o600:
            path.chmod(0o600)
        self._thread = threading.Thread(target=self._work, name="tunesmith-state", daemon=True)
        self._thread.start()

    def change(self, work: Work[Found]) -> Found:
        """Run the work in a transaction and commit it; what it raises undoes what it did alone."""
        return self._given(work).result()

    async def write(self, work: Work[Found]) -> Found:
        """As `change`, from an event loop."""
        return await asyncio.wrap_future(self._given(work))

    def _given(self, work: Work[Found]) -> Future[Found]:
        """Hand a change to the writing thread. Raises RuntimeError once it has ended: nobody would ever answer."""
        future: Future[Found] = Future()
        with self._giving:
            if self._closed:
                raise RuntimeError("the server's state is closed")
            self._waiting.put((work, future))
        return future

    def look(self, work: Work[Found]) -> Found:
        """Run the work on a connection of this thread's own, which sees what is committed."""
        try:
            connection = getattr(self._reader, "connection", None)
            if connection is None:
                connection = self._reader.connection = self._connect()
                self._readers.append(connection)
            return work(connection)
        except sqlite3.DatabaseError as error:
            raise _told(error, self.path) from error

    async def read(self, work: Work[Found]) -> Found:
        """As `look`, from an event loop."""
        return await asyncio.to_thread(self.look, work)

    def wipe(self) -> bool:
        """Take the bytes of what was deleted out of the write-ahead log too; whether all of them are.

        Who writes waits while it waits for readers, so it waits for them shortly, and several times.
        """
        for number in range(WIPE_TRIES):
            if number:
                time.sleep(WIPE_PAUSE)
            if self._emptied():
                return True
        return False

    def _emptied(self) -> bool:
        connection = self._connect()
        try:
            connection.execute(f"PRAGMA busy_timeout = {WIPE_MILLISECONDS}")
            busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.DatabaseError as error:
            raise _told(error, self.path) from error
        finally:
            connection.close()
        return not busy

    def close(self) -> None:
        """Commit what waits, and let the file go."""
        with self._giving:
            if self._closed:
                return
            self._closed = True
            self._waiting.put(None)
        self._thread.join()
        for connection in (self._writer, *self._readers):
            connection.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")  # what a client was told survives the machine's end too
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA secure_delete = ON")  # of what is removed no text stays in free pages
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, tables: Sequence[Tables]) -> None:
        connection = self._writer
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("CREATE TABLE IF NOT EXISTS tables (name TEXT PRIMARY KEY, steps INTEGER NOT NULL)")
        for one in tables:
            row = connection.execute("SELECT steps FROM tables WHERE name = ?", (one.name,)).fetchone()
            done = row["steps"] if row else 0
            if done > len(one.steps):
                connection.execute("ROLLBACK")
                what = "the server's state was written by a newer Tunesmith"
                raise InputError("newer_state", what, str(self.path), "upgrade Tunesmith: pip install -U tunesmith")
            for step in one.steps[done:]:
                connection.execute(step)
            connection.execute("INSERT OR REPLACE INTO tables VALUES (?, ?)", (one.name, len(one.steps)))
        connection.execute("COMMIT")

    def _work(self) -> None:
        while (first := self._waiting.get()) is not None:
            taken, ends = [first], False
            while len(taken) < TOGETHER:
                try:
                    further = self._waiting.get_nowait()
                except queue.Empty:
                    break
                if further is None:
                    ends = True
                    break
                taken.append(further)
            self._commit(taken)
            if ends:
                return

    def _commit(self, taken: Sequence[tuple[Work[Any], Future[Any]]]) -> None:
        """Run the changes, each in a savepoint of its own, and commit them; only then is anybody told."""
        told: list[tuple[Future[Any], Any, BaseException | None]] = []
        connection = self._writer
        try:
            connection.execute("BEGIN IMMEDIATE")
            for work, future in taken:
                connection.execute("SAVEPOINT one")
                try:
                    told.append((future, work(connection), None))
                except Exception as error:
                    if not connection.in_transaction:  # a full disk undoes all of it at once
                        raise
                    connection.execute("ROLLBACK TO one")
                    told.append((future, None, error))
                connection.execute("RELEASE one")
            connection.execute("COMMIT")
        except Exception as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            told = [(future, None, error) for _, future in taken]
        for future, found, failure in told:
            if not future.set_running_or_notify_cancel():  # whoever asked has gone; from here on they cannot
                continue
            if failure is None:
                future.set_result(found)
            else:
                future.set_exception(_told(failure, self.path))


def _is_up_to_date(connection: sqlite3.Connection, tables: Sequence[Tables]) -> bool:
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'tables'").fetchone() is None:
        return False
    done = {row["name"]: row["steps"] for row in connection.execute("SELECT name, steps FROM tables")}
    return all(done.get(one.name) == len(one.steps) for one in tables)


def _told(error: BaseException, path: Path) -> BaseException:
    """An error of the database in words; one of what was asked of it (a value that is there already) as it is."""
    if not isinstance(error, sqlite3.DatabaseError) or isinstance(
        error, (sqlite3.IntegrityError, sqlite3.ProgrammingError)
    ):
        return error
    code = getattr(error, "sqlite_errorcode", 0) & PRIMARY
    if code == sqlite3.SQLITE_FULL or (code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN) and not _room(path)):
        return TunesmithError("disk_full", "the disk is full", str(path), "free space, and try again")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        what = f"another process has kept the server's state from being written for {PATIENCE:g} s"
        return TunesmithError("state_in_use", what, str(path), "let it end, and try again")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN):
        what = f"the server's state cannot be written here ({error})"
        fix = "make the folder writable, or copy the project to one that is"
        return InputError("not_writable", what, str(path), fix)
    if code == sqlite3.SQLITE_IOERR:
        what = f"the system failed at the server's state ({error})"
        return TunesmithError("os_error", what, str(path), "see what the system's log says of this disk, and try again")
    return _not_usable(error, path)


def _room(path: Path) -> bool:
    """Whether the disk takes any more; a full one is told by SQLite as any other failure of the disk."""
    return shutil.disk_usage(path.parent).free > 0


def _not_usable(error: sqlite3.DatabaseError, path: Path) -> InputError:
    fix = "move it away (with the files -wal and -shm beside it), and start again: the server begins with no history"
    return InputError("damaged_state", f"the server's state cannot be used ({error})", str(path), fix)
