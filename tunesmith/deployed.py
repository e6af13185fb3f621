"""Deployment: the versions of a project's model at work, the names that lead to them, and what happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tunesmith.deployment import rollouts, versions
from tunesmith.deployment.evidence import evidence
from tunesmith.deployment.leading import server_runs
from tunesmith.deployment.outcomes import Outcome, shadows_of
from tunesmith.deployment.rollouts import Kind, Rollout, Stage
from tunesmith.deployment.state import State
from tunesmith.deployment.tables import has_state, open_state
from tunesmith.deployment.versions import MAIN
from tunesmith.pipeline.tested import verdict_of
from tunesmith.scoring.intervals import wilson

if TYPE_CHECKING:
    from tunesmith.project import Project

#: Requests that a shadow answered otherwise, the latest of them.
SHOWN = 20


@dataclass(frozen=True)
class DeployedVersion:
    """A version that was served or deployed. ``recorded_at``: Unix seconds. ``export``: the form that it runs in, None
    where it runs as it was trained. ``tested``: the words of its verdict, None without a test."""

    version: str
    id: str
    recorded_at: float
    export: str | None
    tested: str | None


@dataclass(frozen=True)
class Facts:
    """What came of the requests of one version; ``p95_seconds``: the 95th percentile of their latency."""

    requests: int
    errors: int
    format_failures: int
    hand_offs: int
    p95_seconds: float | None


@dataclass(frozen=True)
class Canary:
    """The version that is tried on a share of the requests, and the one beside it at the same time."""

    share: float
    new: Facts
    before: Facts


@dataclass(frozen=True)
class Shadow:
    """A version whose answers were compared and never returned. ``version``: its id.

    ``failed``: answers that did not come; ``share``: of the others, those that are equal, with its 95% Wilson
    ``interval``. ``other``: the ids of the last requests that it answered otherwise.
    """

    version: str
    answers: int
    failed: int
    equal: int
    share: float | None
    interval: list[float] | None
    median_seconds: float | None
    median_seconds_before: float | None
    other: list[str]


@dataclass(frozen=True)
class Happened:
    """A wish, and what came of it. ``asked_at``: Unix seconds. ``automatic``: no person asked for it."""

    kind: Kind
    version: str
    stage: Stage
    share: float | None
    name: str | None
    asked_at: float
    automatic: bool
    why: str


@dataclass(frozen=True)
class Deployment:
    """All of it. ``names``: the version that each name leads to; ``history``: the oldest first."""

    server_runs: bool
    names: dict[str, str]
    versions: list[DeployedVersion]
    canary: Canary | None
    shadow: Shadow | None
    history: list[Happened]


def deployment(project: Project) -> Deployment:
    """Read it from the project's state. Without a server, and where nothing was deployed, it is empty."""
    if not has_state(project.store.root):
        return Deployment(False, {}, [], None, None, [])
    state = open_state(project.store.root, to_look=True)
    try:
        return _read(project, state)
    finally:
        state.close()


def _read(project: Project, state: State) -> Deployment:
    records, found, done = state.look(
        lambda one: (versions.everything(one), rollouts.routing(one), rollouts.everything(one))
    )
    shown = {one.id: f"{project.name}@{one.shown}" for one in records}
    return Deployment(
        server_runs(state.path.parent),
        {_name(project.name, name): shown[id] for name, id in sorted(found.aliases.items())},
        [
            DeployedVersion(
                shown[one.id],
                one.id,
                one.recorded_at,
                one.export["form"] if one.export else None,
                verdict_of(project.store, one.made_of),
            )
            for one in records
        ],
        _canary(state, found.canary),
        _shadow(state, found.shadow or _last_shadow(done)),
        [_happened(one, shown[one.version]) for one in done],
    )


def _name(project: str, name: str) -> str:
    return project if name == MAIN else f"{project}:{name}"


def _happened(one: Rollout, version: str) -> Happened:
    return Happened(
        one.kind, version, one.stage, one.share or None, one.name or None, one.asked_at, one.automatic, one.why
    )


def _last_shadow(done: Sequence[Rollout]) -> Rollout | None:
    return next((one for one in reversed(done) if one.kind == "shadow" and one.switched_at), None)


def _facts(outcomes: Sequence[Outcome]) -> Facts:
    seconds = [one.seconds for one in outcomes if one.seconds is not None]
    return Facts(
        len(outcomes),
        sum(one.failed for one in outcomes),
        sum(bool(one.misfit) for one in outcomes),
        sum(bool(one.handed_off) for one in outcomes),
        float(np.quantile(seconds, 0.95)) if seconds else None,
    )


def _canary(state: State, rollout: Rollout | None) -> Canary | None:
    if rollout is None:
        return None
    found = state.look(lambda one: evidence(one, rollout))
    return Canary(rollout.share, _facts(found.new), _facts(found.before))


def _shadow(state: State, rollout: Rollout | None) -> Shadow | None:
    if rollout is None:
        return None
    found = state.look(lambda one: shadows_of(one, rollout.id))
    compared = [one for one in found if one.equal is not None]
    equal = sum(bool(one.equal) for one in compared)
    pairs = [(one.seconds, one.seconds_before) for one in compared if one.seconds and one.seconds_before]
    return Shadow(
        rollout.version,
        len(found),
        len(found) - len(compared),
        equal,
        equal / len(compared) if compared else None,
        list(wilson(equal, len(compared))) if compared else None,
        float(np.median([one for one, _ in pairs])) if pairs else None,
        float(np.median([one for _, one in pairs])) if pairs else None,
        [one.request for one in compared if not one.equal][-SHOWN:],
    )
