"""The encoder that finds rows and texts by their meaning: whether `clean` wants it, where it is, fetching it once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunesmith.errors import InputError
from tunesmith.events import Event, Sink

if TYPE_CHECKING:
    from tunesmith.project import Project
    from tunesmith.project_file import ProjectSettings

#: Small, and the one encoder of the catalogue that was fetched and checked.
NAME = "all-minilm-l6-v2"


def wanted(settings: ProjectSettings) -> bool:
    """Whether `clean` looks at rows by their meaning; by itself only where the encoder is the base anyhow.

    That follows from the settings alone, so that what another project has fetched makes nothing stale.
    """
    if settings.clean.encoder != "auto":
        return settings.clean.encoder == "always"
    is_base = settings.base.model == NAME or (settings.base.model == "auto" and settings.goal.output == "label")
    return is_base and not settings.base.from_scratch


def fact(project: Project, settings: ProjectSettings) -> dict[str, Any]:
    """What `clean` depends on: the sha256 of the encoder's weights, None where it is not here. Empty: not wanted."""
    if not wanted(settings):
        return {}
    found = here(project)
    return {"encoder": found[1] if found else None}


def given(project: Project, settings: ProjectSettings) -> dict[str, Any] | None:
    """What the stage is given: name, folder and sha256 of the encoder; None where it is not wanted or not here."""
    return at_hand(project) if wanted(settings) else None


def at_hand(project: Project) -> dict[str, Any] | None:
    """The encoder where it is here, whether `clean` wants it or not."""
    found = here(project)
    return {"name": NAME, "folder": found[0], "sha256": found[1]} if found else None


def fetch(project: Project, settings: ProjectSettings, sink: Sink) -> None:
    """Fetch the encoder where `clean` wants it and it is not here."""
    if wanted(settings):
        fetch_for(project, sink, "clean", "rows are not looked at by their meaning")


def fetch_for(project: Project, sink: Sink, stage: str, without: str) -> None:
    """Fetch the encoder where it is not here. Where it cannot be had a note tells why, and how it goes ``without``."""
    from tunesmith.stages.base import run as base

    if here(project):
        return
    try:
        base.fetch_named(NAME, project.cache, project.root, sink)
    except (InputError, OSError) as error:
        why = error.what if isinstance(error, InputError) else str(error)
        sink(Event("note", stage, {"text": f"{without}, since the encoder cannot be had ({why})"}))


def here(project: Project) -> tuple[Path, str] | None:
    """Folder and sha256 of the encoder's weights, or None where it is neither given by the user nor cached."""
    from tunesmith.stages.base import run as base

    try:
        return base.here(NAME, project.cache, project.root)
    except (InputError, OSError):  # damaged: `tunesmith base --refetch` mends it
        return None
