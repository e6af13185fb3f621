"""Open what surrounds a project's models: the one place where its parts are put together."""

from __future__ import annotations

from collections.abc import Callable

from tunesmith.deployment.tables import open_state
from tunesmith.errors import InputError
from tunesmith.project import Project
from tunesmith.server.guarding import open_guard
from tunesmith.server.people_of import feedback_of, hand_offs_of
from tunesmith.server.site import Site
from tunesmith.server.watched import open_log


def open_site(project: Project, tell: Callable[[str], None] = lambda words: None) -> Site:
    """``tell`` is told what the rules were fitted to.

    Raises InputError ``not_made``, ``damaged_state`` or ``newer_state``, for rules that cannot be kept, and
    ``missing_extra`` for what a setting asks for.
    """
    if project.store.latest("goal") is None:  # without it there is no model at all, whoever asks for which stage
        raise InputError("not_made", "nothing was trained yet, so there is nothing to serve", fix="tunesmith run")
    guard = open_guard(project, tell)
    state = open_state(project.store.root)
    people, feedback = hand_offs_of(project, state), feedback_of(project, state)
    logs, chores = open_log(project, state)
    return Site(
        project.name,
        state,
        guard,
        people=people,
        recorders=[*logs, feedback] if feedback else logs,
        feedback=feedback,
        chores=chores,
    )
