"""Open what surrounds a project's models: the one place where its parts are put together."""

from __future__ import annotations

from tunesmith.deployment.tables import open_state
from tunesmith.project import Project
from tunesmith.server.people_of import feedback_of, hand_offs_of
from tunesmith.server.site import Site
from tunesmith.server.watched import open_log


def open_site(project: Project) -> Site:
    """Raises InputError ``damaged_state`` or ``newer_state``, and ``missing_extra`` for what a setting asks for."""
    state = open_state(project.store.root)
    feedback = feedback_of(project, state)
    recorders, chores = open_log(project, state)
    return Site(
        project.name,
        state,
        people=hand_offs_of(project, state),
        recorders=[*recorders, *([feedback] if feedback else [])],
        feedback=feedback,
        chores=chores,
    )
