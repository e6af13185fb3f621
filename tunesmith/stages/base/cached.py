"""The shared cache of bases: each folder is made once, whole or not at all, whoever else is making it too."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tunesmith.artifact import fsync
from tunesmith.base_folder import write_record
from tunesmith.stages.context import Context

POLL = 0.2  # seconds between tries for the lock


def folder_of(cache: Path, name: str, digest: str) -> Path:
    """Where the base of that name, made from the wheel or commit with that hash, lies."""
    return cache / "bases" / f"{_stem(name)}-{digest[:12]}"


def copies_of(cache: Path, name: str) -> list[Path]:
    """Every cached folder of that name, whatever it was made from."""
    return sorted(folder for folder in (cache / "bases").glob(f"{_stem(name)}-{'[0-9a-f]' * 12}") if folder.is_dir())


def _stem(name: str) -> str:
    return name.partition("@")[0].replace("/", "--")


def make(
    folder: Path,
    fill: Callable[[Path, Path], Mapping[str, Any]],
    context: Context,
    *,
    megabytes: int = 0,
    replace: bool = False,
) -> None:
    """Make ``folder`` by ``fill(staging, scratch)``, which returns facts for the record.

    It is built beside, hashed, fsynced and renamed. Another process that wants the same folder
    waits, then finds it made. ``megabytes`` must be free on the disk. With ``replace`` an old copy
    makes way, but only once the new one is whole.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder, context):
        if folder.is_dir() and not replace:
            return
        _sweep(folder)
        _check_room(folder.parent, megabytes)
        work = folder.parent / f".{folder.name}.{os.getpid()}.tmp"
        staging, scratch = work / "model", work / "scratch"
        staging.mkdir(parents=True)
        scratch.mkdir()
        try:
            write_record(staging, fill(staging, scratch))
            if folder.is_dir():
                folder.rename(work / "old")
            staging.rename(folder)
            fsync(folder.parent)
        except OSError as error:
            error.filename = error.filename or str(folder)  # a full disk is told by its place
            raise
        finally:
            shutil.rmtree(work, ignore_errors=True)


@contextmanager
def _alone(folder: Path, context: Context) -> Iterator[None]:
    """Hold this folder's lock; the kernel drops it when the holder dies."""
    handle = os.open(folder.parent / f".{folder.name}.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        waiting = False
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not waiting:
                    context.note(f"another process is fetching {folder.name}; waiting for it")
                waiting = True
                context.check()
                time.sleep(POLL)
        yield
    finally:
        os.close(handle)


def _sweep(folder: Path) -> None:
    """Remove what killed runs left behind; the lock says that nobody is at work on it now."""
    for left in folder.parent.glob(f".{folder.name}.*.tmp"):
        shutil.rmtree(left, ignore_errors=True)


def _check_room(place: Path, megabytes: int) -> None:
    if shutil.disk_usage(place).free < megabytes * 1_000_000:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(place))
