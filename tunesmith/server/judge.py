"""Look at what came of the versions that are tried or watched, and go back where the new one is clearly worse."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from sqlite3 import Connection

from tunesmith.deployment import rollouts
from tunesmith.deployment.deploy_settings import DeploySettings
from tunesmith.deployment.evidence import evidence
from tunesmith.deployment.rollouts import Rollout
from tunesmith.deployment.state import State


class Judge:
    """Remembers at how much evidence it looked last: each look more is a chance more of a false alarm."""

    def __init__(self, state: State, settings: DeploySettings) -> None:
        self._state = state
        self._settings = settings
        self._began = time.time()
        self._looks: dict[int, int] = {}

    async def look(self) -> None:
        """Judge what is active; ends the watch over those that have answered well for long enough."""
        await asyncio.to_thread(self._look)

    def _look(self) -> None:
        for rollout in self._state.look(_judged):
            watched = rollout.kind != "canary"
            if watched and time.time() - (rollout.switched_at or 0.0) > self._settings.watch_minutes * 60:
                self._state.change(partial(_watched, rollout.id))
            elif self._settings.roll_back and rollout.version != rollout.before:
                self._judge(rollout)

    def _judge(self, rollout: Rollout) -> None:
        from tunesmith.deployment.judging import judge, look_of

        count = self._state.look(lambda one: _count(one, rollout))
        look = look_of(count, self._settings.least_requests)
        if rollout.id not in self._looks:  # one that an earlier server looked at is not looked at twice at the same
            seen_before = (rollout.switched_at or 0.0) < self._began
            self._looks[rollout.id] = look if seen_before else 0
        if look <= self._looks[rollout.id]:
            return
        self._looks[rollout.id] = look
        found = self._state.look(lambda one: evidence(one, rollout))
        broken = [one for one in judge(found.new, found.before, self._settings, look) if one.broken]
        if broken:
            why = "; ".join(one.words for one in broken)
            self._state.change(lambda one: rollouts.take_back(one, rollout.id, why))


def _judged(connection: Connection) -> list[Rollout]:
    return [one for one in rollouts.everything(connection) if one.stage == "active" and one.kind != "shadow"]


def _watched(id: int, connection: Connection) -> None:
    if rollouts.get(connection, id).stage == "active":
        rollouts.end(connection, id, "done", "")


def _count(connection: Connection, rollout: Rollout) -> int:
    sql = "SELECT count(*) FROM outcomes WHERE version = ? AND at >= ?"
    return int(connection.execute(sql, (rollout.version, rollout.switched_at or 0.0)).fetchone()[0])
