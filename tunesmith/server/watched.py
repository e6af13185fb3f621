"""What keeps a project's traffic: the log, the profile of its training, and what lets old records go."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import cache

from tunesmith.deployment.exchange import Recorder
from tunesmith.deployment.kept_text import TextMasker
from tunesmith.deployment.meaning import Distances
from tunesmith.deployment.profile import Profile
from tunesmith.deployment.retention import expire, expire_people, keep_expiring
from tunesmith.deployment.state import State
from tunesmith.deployment.traffic import Traffic
from tunesmith.errors import TunesmithError
from tunesmith.privacy.name_finder import require_names
from tunesmith.privacy.names import staying
from tunesmith.project import Project
from tunesmith.watching import embedder, profile_for

#: Done while the server runs, until it is cancelled.
Chore = Callable[[], Awaitable[None]]


def open_log(project: Project, state: State) -> tuple[Sequence[Recorder], Sequence[Chore]]:
    """What records a project's requests, and what is to be done beside that.

    Raises InputError ``missing_extra`` where names are to be masked or spans to be told without their packages.
    """
    settings = project.settings.serve

    @cache
    def profile_of(version: str) -> Profile | None:
        try:
            return profile_for(project, version)
        except (TunesmithError, OSError):
            return None  # `tunesmith monitor --drift` says why

    distances = Distances(state, profile_of, lambda: embedder(project)) if settings.drift.embeddings == "auto" else None
    masker = masker_of(project) if settings.log.text else None
    log = Traffic(state, masker, distances.hear) if distances else Traffic(state, masker)
    recorders: list[Recorder] = [log]
    if settings.traces:
        from tunesmith.deployment.traces import open_traces

        recorders.append(open_traces(project.name))

    def expire_all() -> None:
        expire_people(state, settings.hand_off, settings.feedback)
        expire(state, settings.log)

    async def chore() -> None:
        try:
            await keep_expiring(expire_all)
        finally:
            if distances is not None:
                distances.close()

    async def profile() -> None:
        """The training may be gone when its traffic is looked at: its profile is made when it is first served."""
        await asyncio.to_thread(profile_for_last, project)

    return recorders, (chore, profile)


def profile_for_last(project: Project) -> None:
    """Make the profile of the last training, unless there is one."""
    try:
        profile_for(project, project.name)
    except (TunesmithError, OSError):
        pass  # `tunesmith monitor --drift` says why


def masker_of(project: Project) -> TextMasker:
    """What masks the texts that are kept, as the project's training data is masked."""
    clean, goal = project.settings.clean.private, project.settings.goal
    if clean.names:
        require_names("serve.log.text")
    stay = staying([*(goal.labels or ()), *clean.keep_names]) if clean.names else frozenset()
    return TextMasker.of(clean.choices, clean.names, stay, tuple(clean.regions), project.settings.seed)
