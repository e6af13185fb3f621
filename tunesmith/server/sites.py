"""Open what surrounds a project's models: the one place where its parts are put together."""

from __future__ import annotations

from tunesmith.deployment.tables import open_state
from tunesmith.project import Project
from tunesmith.server.site import Site


def open_site(project: Project) -> Site:
    """Raises InputError ``damaged_state`` or ``newer_state``."""
    return Site(project.name, open_state(project.store.root))
