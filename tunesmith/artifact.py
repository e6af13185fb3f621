"""Artifact, Manifest, Store: what a stage makes; content-addressed, written whole or not at all.

Layout of ``.tunesmith/`` in a project::

    artifacts/<stage>-<id>/     finished, with manifest.json; never changed after
    work/<stage>-<id>/          being made; renamed into artifacts/ when whole
    latest/<stage>              the id that the last finished run of that stage made
    lock                        held by the process that works on the project
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tunesmith.errors import Busy, InputError

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Manifest:
    """What an artifact is and what it was made from.

    ``files`` maps each relative path to its sha256 and size in bytes, so that damage is found.
    """

    id: str
    stage: str
    made_by: dict[str, Any]
    counts: dict[str, Any]
    files: dict[str, dict[str, Any]]
    made_at: float
    seconds: float


@dataclass(frozen=True)
class Artifact:
    """A finished result of a stage: a folder that never changes."""

    id: str
    kind: str
    path: Path
    made_by: Mapping[str, Any]
    counts: Mapping[str, Any]
    seconds: float = 0.0

    def read_json(self, name: str) -> Any:
        """Read one of the artifact's JSON files."""
        return read_json(self.path / name)


class Store:
    """The artifacts of one project."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.artifacts = root / "artifacts"
        self.work = root / "work"

    def folder(self, stage: str, id: str) -> Path:
        return self.artifacts / f"{stage}-{id}"

    def find(self, stage: str, id: str, *, full: bool = False) -> Artifact | None:
        """The finished artifact, or None. A folder without its manifest is not an artifact.

        The sizes of its files are compared with the manifest, with ``full`` their sha256 too.
        """
        return self._read(self.folder(stage, id), full)

    def latest(self, stage: str) -> Artifact | None:
        """What the stage made last, whatever the settings were then."""
        try:
            id = (self.root / "latest" / stage).read_text(encoding="utf-8", errors="replace").strip()
        except FileNotFoundError:
            return None
        return self.find(stage, id) if id else None

    def mark_latest(self, artifact: Artifact) -> None:
        make_folder(self.root / "latest")
        write_text(self.root / "latest" / artifact.kind, artifact.id)

    def _read(self, folder: Path, full: bool = False) -> Artifact | None:
        try:
            data = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            manifest = Manifest(**data)
            for name, entry in manifest.files.items():
                path = folder / name
                if not _has_size(path, entry["bytes"]) or (full and sha256_of(path) != entry["sha256"]):
                    return None
        except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError, AttributeError):
            return None  # damaged
        return Artifact(manifest.id, manifest.stage, folder, manifest.made_by, manifest.counts, manifest.seconds)

    def begin(self, stage: str, id: str, *, resume: bool = False) -> Path:
        """A folder to write in. Without ``resume`` what a killed run left there is thrown away."""
        folder = self.work / f"{stage}-{id}"
        if folder.exists() and not resume:
            shutil.rmtree(folder)
        make_folder(folder)
        for left in (folder / MANIFEST, *folder.glob(".*.tmp")):  # of a run that was killed while it finished
            left.unlink(missing_ok=True)
        return folder

    def sweep(self, keeps_work: Collection[str]) -> None:
        """Remove what killed runs left, but for the work that the stages named go on from. Call it under the lock."""
        for folder in self.work.glob("*"):
            if folder.name.rpartition("-")[0] not in keeps_work:
                shutil.rmtree(folder)
        for left in (self.root / "latest").glob(".*.tmp"):
            left.unlink(missing_ok=True)

    def finish(
        self, stage: str, id: str, *, made_by: Mapping[str, Any], counts: Mapping[str, Any], seconds: float
    ) -> Artifact:
        """Hash, fsync and rename the work folder into place; only then does the artifact exist."""
        work = self.work / f"{stage}-{id}"
        files = {}
        for path in sorted(path for path in work.rglob("*") if path.is_file()):
            files[str(path.relative_to(work))] = {"sha256": sha256_of(path), "bytes": path.stat().st_size}
            fsync(path)
        manifest = Manifest(id, stage, dict(made_by), dict(counts), files, time.time(), seconds)
        write_json(work / MANIFEST, asdict(manifest))
        for folder in sorted({path.parent for path in work.rglob("*")}, reverse=True):
            fsync(folder)
        make_folder(self.artifacts)
        final = self.folder(stage, id)
        if final.exists():  # a damaged one: `find` refused it
            doomed = self.work / f"damaged-{stage}-{id}-{os.getpid()}"
            final.rename(doomed)
            shutil.rmtree(doomed)
        work.rename(final)
        fsync(self.artifacts)
        artifact = Artifact(id, stage, final, dict(made_by), dict(counts), seconds)
        self.mark_latest(artifact)
        return artifact

    def abandon(self, stage: str, id: str) -> None:
        """Throw away what a failed stage wrote."""
        shutil.rmtree(self.work / f"{stage}-{id}", ignore_errors=True)

    def verify(self, artifact: Artifact) -> None:
        """Compare every file of an artifact with its recorded sha256. Raises InputError on damage."""
        files = read_json(artifact.path / MANIFEST)["files"]
        for name, entry in files.items():
            path = artifact.path / name
            if not path.exists() or sha256_of(path) != entry["sha256"]:
                raise InputError(
                    "damaged_artifact",
                    f"a file of the stage {artifact.kind!r} is not what was written",
                    str(path),
                    f"`tunesmith run --from-scratch` makes it again (or delete {artifact.path})",
                )

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the project for this process. Raises Busy when another one does.

        The kernel drops the lock when the holder dies, so a kill leaves nothing to clean up.
        A folder that this call made and that stays empty is removed again.
        """
        fresh, held = not self.root.exists(), False
        make_folder(self.root)
        path = self.root / "lock"
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.read(handle, 64).decode("ascii", "replace").strip() or "unknown"
                raise Busy(
                    "project_busy",
                    f"another Tunesmith process (pid {holder}) is working on this project",
                    str(self.root.parent),
                    "wait for it to end, or stop it; nothing was changed",
                ) from None
            held = True
            os.ftruncate(handle, 0)
            os.pwrite(handle, str(os.getpid()).encode(), 0)
            yield
        finally:
            if fresh and held and not self.artifacts.exists() and not any(self.work.glob("*")):
                shutil.rmtree(self.root, ignore_errors=True)
            os.close(handle)


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_of(value: Any) -> str:
    """First 16 hex digits of the sha256 of a value's canonical JSON."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def fsync(path: Path) -> None:
    """Make a file or folder durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def for_owner(path: Path) -> Path:
    """Make an empty file that only its owner can read and write, to be filled in; returns the path."""
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600))
    path.chmod(0o600)  # it may have been there
    return path


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, each name as durable as what will lie in it."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for place in missing:
        fsync(place.parent)


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Let the processes that change a file of this folder do so one after the other: each waits for the one before.

    The lock is the folder's own, so that no file is left behind; the kernel drops it when the holder dies. On a disk
    that locks no folders (some network disks) nobody waits.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in (errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.ENOTSUP):
                raise
        yield
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all: temporary name, fsync, rename."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):  # on a read-only disk, where nothing was written either
            temporary.unlink()
        if isinstance(error, OSError):
            error.filename, error.filename2 = str(path), None  # what a user is told of
        raise
    fsync(path.parent)


def write_json(path: Path, value: Any) -> None:
    """Write JSON whole or not at all."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, default=str) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON that Tunesmith wrote. Raises InputError when it is damaged or gone."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            "damaged_artifact",
            f"a file that Tunesmith made is damaged or gone ({error})",
            str(path),
            "`tunesmith run --from-scratch` makes it again",
        ) from error
