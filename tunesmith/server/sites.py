"""Open what surrounds a project's models: the one place where its parts are put together."""

from __future__ import annotations

from collections.abc import Callable

from tunesmith.deployment.tables import open_state
from tunesmith.project import Project
from tunesmith.server.guarding import open_guard
from tunesmith.server.site import Site


def open_site(project: Project, tell: Callable[[str], None] = lambda words: None) -> Site:
    """``tell`` is told what the rules were fitted to. Raises InputError ``damaged_state`` or ``newer_state``, and for
    rules that cannot be kept."""
    guard = open_guard(project, tell)
    return Site(project.name, open_state(project.store.root), guard)
