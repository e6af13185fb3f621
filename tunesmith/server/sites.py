"""Open what surrounds a project's models: the one place where its parts are put together."""

from __future__ import annotations

from tunesmith.deployment.exchange import Recorder
from tunesmith.deployment.feedback import FeedbackBook
from tunesmith.deployment.inbox import HandOffQueue
from tunesmith.deployment.tables import open_state
from tunesmith.project import Project
from tunesmith.server.people_of import feedback_of, hand_offs_of
from tunesmith.server.site import Site
from tunesmith.server.watched import open_log


def open_site(project: Project) -> Site:
    """Raises InputError ``damaged_state`` or ``newer_state``, and ``missing_extra`` for what a setting asks for."""
    state = open_state(project.store.root)
    people, feedback = hand_offs_of(project, state), feedback_of(project, state)
    logs, chores = open_log(project, state)
    own: list[Recorder] = [one for one in (people, feedback) if isinstance(one, HandOffQueue | FeedbackBook)]
    return Site(
        project.name,
        state,
        people=people,
        recorders=[*logs, *own],
        feedback=feedback,
        chores=chores,
    )
