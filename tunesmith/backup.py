"""A copy of a project that is whole although a server and a run may be at work in it.

What stages made is renamed into place when it is whole, so plain copies of it are sound. Databases are not: a copy of
the file misses what lies in its log. SQLite copies them itself, as of one moment (https://sqlite.org/lang_vacuum.html).
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tunesmith.errors import InputError, TunesmithError
from tunesmith.project import Project

DATABASE = ".db"
#: What a database keeps beside its file while it is open.
BESIDE = (".db-wal", ".db-shm", ".db-journal")
#: In `.tunesmith`: what is being made, and locks of processes.
PASSING = ("work", "lock")


@dataclass(frozen=True)
class Backup:
    """``folder``: the copy. ``skipped``: what was deleted while it was to be copied."""

    folder: Path
    files: int
    size: int
    skipped: int


def back_up(project: Project, to: Path) -> Backup:
    """Copy the project's folder, whole or not at all; the copy is a project as the first one.

    Raises InputError ``backup_exists`` or ``backup_inside``, TunesmithError ``backup_damaged``.
    """
    to = to.resolve()
    if to.exists():
        raise InputError("backup_exists", "there is something of this name already", str(to), "name a new folder")
    if to.is_relative_to(project.root.resolve()):
        raise InputError("backup_inside", "a copy cannot lie inside of what is copied", str(to), "name another place")
    to.parent.mkdir(parents=True, exist_ok=True)
    temporary = to.with_name(f".{to.name}.{os.getpid()}.tmp")
    try:
        done = _copy(project.root.absolute(), project.store.root.absolute(), temporary)
        os.sync()
        temporary.rename(to)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return Backup(to, *done)


def _copy(root: Path, inner: Path, to: Path) -> tuple[int, int, int]:
    files = size = skipped = 0
    passing = {inner / name for name in PASSING}
    for source in _files(root, passing):
        target = to / source.relative_to(root)
        try:
            if source.is_dir() and not source.is_symlink():
                target.mkdir(parents=True, exist_ok=True)
                shutil.copymode(source, target)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.suffix == DATABASE and not source.is_symlink():
                _copy_database(source, target)
            else:
                shutil.copy2(source, target, follow_symlinks=False)
        except FileNotFoundError:  # an old artifact that was deleted meanwhile
            skipped += 1
            continue
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):  # the system names the file that was read
                error.filename, error.filename2 = str(to), None
            raise
        files += 1
        size += target.lstat().st_size
    return files, size, skipped


def _files(root: Path, passing: set[Path]) -> Iterator[Path]:
    """Folders and files to copy, a folder before what is in it."""
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        folders[:] = [name for name in folders if here / name not in passing and not name.endswith(".tmp")]
        links = [name for name in folders if (here / name).is_symlink()]
        yield here
        for name in (*names, *links):
            path = here / name
            if path not in passing and not name.endswith((".tmp", *BESIDE)):
                yield path


def _copy_database(source: Path, target: Path) -> None:
    """As of one moment, with all that was committed. Raises TunesmithError where the database is damaged."""
    if not source.exists():
        raise FileNotFoundError(source)
    try:
        with closing(sqlite3.connect(f"file:{source}?mode=rw", uri=True, timeout=60)) as connection:
            connection.execute("VACUUM INTO ?", (str(target),))
        with closing(sqlite3.connect(target)) as copy:
            [found] = copy.execute("PRAGMA integrity_check").fetchone()
    except sqlite3.DatabaseError as error:
        raise _damaged(source, str(error)) from error
    if found != "ok":
        raise _damaged(source, str(found))
    shutil.copymode(source, target)


def _damaged(source: Path, why: str) -> TunesmithError:
    fix = "see what an earlier backup has; move the damaged file away, and the server begins with no history"
    return TunesmithError("backup_damaged", f"the database cannot be copied ({why})", str(source), fix)
