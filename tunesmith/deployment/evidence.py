"""The outcomes that a rollout is judged by: those of the new version, and those of the one before."""

from __future__ import annotations

from dataclasses import dataclass
from sqlite3 import Connection

from tunesmith.deployment import rollouts
from tunesmith.deployment.outcomes import Outcome, outcomes_of
from tunesmith.deployment.rollouts import Rollout
from tunesmith.deployment.versions import MAIN


@dataclass(frozen=True)
class Evidence:
    """What both versions did: of a canary at the same time, after a switch the earlier one before it."""

    new: list[Outcome]
    before: list[Outcome]


def evidence(connection: Connection, rollout: Rollout) -> Evidence:
    """The outcomes that a rollout is judged by."""
    since = rollout.switched_at or 0.0
    new = outcomes_of(connection, rollout.version, since=since)
    if rollout.kind == "canary":
        main = rollouts.routing(connection).aliases.get(MAIN, "")
        return Evidence(new, outcomes_of(connection, main, since=since))
    return Evidence(new, outcomes_of(connection, rollout.before or "", until=since))
