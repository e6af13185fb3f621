"""Folders that an export writes in beside its own, and what is left of them when it is killed."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

#: Marks an earlier export while another takes its place.
_BEFORE = "before"
_LEFT = re.compile(rf"\.(?P<name>.+?)(?P<before>\.{_BEFORE})?\.(?P<process>[0-9]+)\.tmp")


@contextmanager
def work_beside(out: Path) -> Iterator[Path]:
    """An empty folder to write an export in, on the same disk; what is left of it in the end is deleted."""
    work = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    handle = os.open(work, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # some disks know no locks
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield work
    finally:
        os.close(handle)
        shutil.rmtree(work, ignore_errors=True)


def before_of(out: Path) -> Path:
    """Where an earlier export is kept while this process puts another in its place."""
    return out.with_name(f".{out.name}.{_BEFORE}.{os.getpid()}.tmp")


def sweep(folder: Path, name: str | None = None) -> None:
    """Delete what killed exports left in this folder, or of the export ``name`` alone; those that are being made stay.

    An export that a killed one had moved out of its way is put back.
    """
    for path in sorted(folder.glob(".*.tmp")):
        found = _LEFT.fullmatch(path.name)
        if found is None or name not in (None, found["name"]) or not path.is_dir() or _alive(path, found["process"]):
            continue
        out = folder / found["name"]
        if found["before"] and not out.exists():  # it was killed between two renames
            with suppress(OSError):  # another process put it back, or wrote it anew
                path.rename(out)
        else:
            shutil.rmtree(path, ignore_errors=True)


def _alive(path: Path, process: str) -> bool:
    """Whether who writes there is at work: in this container by its number, in another of this machine by its lock."""
    if Path(f"/proc/{process}").exists():
        return True
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(handle)
    return False
