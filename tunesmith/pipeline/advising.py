"""What `advise` reads outside the store: the user's documents, and the encoder that finds texts by their meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tunesmith.errors import InputError
from tunesmith.events import Event, Sink
from tunesmith.pipeline import encoder
from tunesmith.retrieval.documents import fingerprint

if TYPE_CHECKING:
    from tunesmith.project import Project
    from tunesmith.project_file import ProjectSettings


def wanted(settings: ProjectSettings) -> bool:
    """Whether an encoder is wanted beside the base: a classifier's base is one itself."""
    return settings.goal.output != "label" and not settings.base.from_scratch


def facts(project: Project, settings: ProjectSettings) -> dict[str, Any]:
    """The documents' contents and the encoder's weights. Raises InputError ``no_knowledge`` where there are none."""
    found: dict[str, Any] = {}
    if settings.advise.knowledge is not None:
        found["knowledge"] = fingerprint(project.root / settings.advise.knowledge)
    if wanted(settings):
        here = encoder.here(project)
        found["encoder"] = here[1] if here else None
    return found


def given(project: Project, settings: ProjectSettings) -> dict[str, Any] | None:
    """Name, folder and sha256 of the encoder; None where it is not wanted, or cannot be had."""
    return encoder.at_hand(project) if wanted(settings) else None


def fetch(project: Project, settings: ProjectSettings, sink: Sink) -> None:
    """Fetch the encoder where it is wanted and not here. Why it did not come is told in a note."""
    from tunesmith.stages.base import run as base

    if not wanted(settings) or encoder.here(project):
        return
    try:
        base.fetch_named(encoder.NAME, project.cache, project.root, sink)
    except (InputError, OSError) as error:
        why = error.what if isinstance(error, InputError) else str(error)
        text = f"similar examples and documents are found by their words alone, since the encoder cannot be had ({why})"
        sink(Event("note", "advise", {"text": text}))
