"""What `advise` reads outside the store: the user's documents, and the encoder that finds texts by their meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tunesmith.events import Sink
from tunesmith.pipeline import encoder
from tunesmith.retrieval.documents import files_of, fingerprint

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
    """Fetch the encoder where it is wanted and not here."""
    if wanted(settings):
        encoder.fetch_for(project, sink, "advise", "similar examples and documents are found by their words alone")


def check(project: Project, settings: ProjectSettings) -> None:
    """Look whether the documents are there. Raises InputError ``no_knowledge`` where there are none."""
    if settings.advise.knowledge is not None:
        files_of(project.root / settings.advise.knowledge)
