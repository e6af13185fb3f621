"""What came of the requests of each version: what a new version is judged by. No text is kept."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from sqlite3 import Connection

from tunesmith.deployment.exchange import Exchange
from tunesmith.deployment.state import State, Tables

#: Outcomes of one version that are kept at most; the oldest go first.
KEPT = 5000
#: Outcomes that wait to be written at most.
WAITING = 20_000

TABLES = Tables(
    "outcomes",
    (
        """CREATE TABLE outcomes (
            version TEXT NOT NULL, at REAL NOT NULL, who TEXT NOT NULL, failed INTEGER NOT NULL, misfit INTEGER,
            handed_off INTEGER, seconds REAL)""",
        "CREATE INDEX outcomes_of_a_version ON outcomes (version, at)",
        """CREATE TABLE shadows (
            rollout INTEGER NOT NULL, request TEXT NOT NULL, at REAL NOT NULL, equal INTEGER, error TEXT,
            seconds REAL, seconds_before REAL)""",
        "CREATE INDEX shadows_of_a_rollout ON shadows (rollout)",
    ),
)


@dataclass(frozen=True)
class Outcome:
    """One request. ``who``: requests of one user share it, all others have their own; outcomes of one are not
    independent. ``misfit``: the answer misses the schema; None where there is none. ``seconds``: in all."""

    version: str
    at: float
    who: str
    failed: bool
    misfit: bool | None
    handed_off: bool | None
    seconds: float | None


def outcome_of(exchange: Exchange, version: str, who: str | None) -> Outcome | None:
    """What came of a request that reached a model; None for one that says nothing of it: refused, or given up."""
    failed = exchange.status >= 500 or (exchange.status == 200 and exchange.error is not None)
    if not failed and exchange.status != 200:
        return None
    misfit = None if exchange.fits_schema is None or failed else not exchange.fits_schema
    user = hashlib.sha256(f"{exchange.key}\0{who}".encode()).hexdigest()[:16] if who else exchange.id
    seconds = None if failed else exchange.total
    return Outcome(version, exchange.arrived_at, user, failed, misfit, None if failed else exchange.handed_off, seconds)


class Outcomes:
    """Gathers outcomes and writes them now and then: a kill loses the last second of evidence, and no record."""

    def __init__(self) -> None:
        self._waiting: deque[Outcome] = deque(maxlen=WAITING)

    def add(self, outcome: Outcome | None) -> None:
        if outcome is not None:
            self._waiting.append(outcome)

    async def flush(self, state: State) -> None:
        """Write what has gathered."""
        taken = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if taken:
            await state.write(lambda connection: _write(connection, taken))


def _write(connection: Connection, taken: Sequence[Outcome]) -> None:
    rows = [(one.version, one.at, one.who, one.failed, one.misfit, one.handed_off, one.seconds) for one in taken]
    connection.executemany("INSERT INTO outcomes VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    for version in {one.version for one in taken}:
        sql = """DELETE FROM outcomes WHERE version = ? AND at <
            (SELECT at FROM outcomes WHERE version = ? ORDER BY at DESC LIMIT 1 OFFSET ?)"""
        connection.execute(sql, (version, version, KEPT))


def outcomes_of(
    connection: Connection, version: str, *, since: float = 0.0, until: float = float("inf")
) -> list[Outcome]:
    """The outcomes of a version between two times, seconds since 1970, the oldest first."""
    sql = "SELECT * FROM outcomes WHERE version = ? AND at >= ? AND at < ? ORDER BY at"
    return [
        Outcome(
            row["version"],
            row["at"],
            row["who"],
            bool(row["failed"]),
            None if row["misfit"] is None else bool(row["misfit"]),
            None if row["handed_off"] is None else bool(row["handed_off"]),
            row["seconds"],
        )
        for row in connection.execute(sql, (version, since, until))
    ]


@dataclass(frozen=True)
class Shadow:
    """One request that a version answered in the shadow. ``equal``: as the other did, None where it failed.

    ``seconds`` of the answer in the shadow, ``seconds_before`` of the one that the client got.
    """

    rollout: int
    request: str
    equal: bool | None
    error: str | None
    seconds: float | None
    seconds_before: float | None


def add_shadow(connection: Connection, one: Shadow) -> None:
    values = (one.rollout, one.request, time.time(), one.equal, one.error, one.seconds, one.seconds_before)
    connection.execute("INSERT INTO shadows VALUES (?, ?, ?, ?, ?, ?, ?)", values)


def shadows_of(connection: Connection, rollout: int) -> list[Shadow]:
    sql = "SELECT * FROM shadows WHERE rollout = ? ORDER BY at"
    return [
        Shadow(
            row["rollout"],
            row["request"],
            None if row["equal"] is None else bool(row["equal"]),
            row["error"],
            row["seconds"],
            row["seconds_before"],
        )
        for row in connection.execute(sql, (rollout,))
    ]
