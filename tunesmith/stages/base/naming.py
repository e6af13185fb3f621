"""What `base.model` may say: auto, a name in the catalogue, a local folder, or a hub id."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tunesmith.catalog import Entry, HubSource, Source, find
from tunesmith.errors import InputError

HUB_ID = re.compile(r"(?P<repository>[A-Za-z0-9][\w.-]*/[\w.-]+)(@(?P<revision>[\w./-]+))?", re.ASCII)
COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Named:
    """A base as the user wrote it: an ``entry`` of the catalogue, a ``folder``, or else a hub source."""

    name: str
    sources: tuple[Source, ...] = ()
    entry: Entry | None = None
    folder: Path | None = None


def parse(model: str, project: Path | None = None) -> Named:
    """Tell which base is meant. A relative folder is the project's. Raises InputError ``unknown_base``."""
    try:
        path = Path(model).expanduser()
    except RuntimeError as error:  # ~name, and there is no such user
        raise InputError(
            "no_such_base", f"there is no folder {model!r}", "base.model", "write the whole path"
        ) from error
    folder = path if path.is_absolute() or project is None else project / path
    if model.startswith(("./", "../", "/", "~")) or model in (".", "..") or ("/" in model and folder.is_dir()):
        return Named(model, folder=folder)
    if match := HUB_ID.fullmatch(model):
        return Named(model, sources=(HubSource(match["repository"], match["revision"] or "main"),))
    entry = find(model)
    return Named(entry.name, sources=entry.sources, entry=entry)


def is_commit(revision: str) -> bool:
    """Whether a revision is a full commit hash, which never moves, and not a branch or tag."""
    return COMMIT.fullmatch(revision) is not None
