"""Rollouts: each wish that another version answers, and what came of it. A wish is durable before anything is done.

A rollout is ``wanted`` by a command; the server that leads begins it (``starting``), and switches the names in one
transaction (``switched``); it is ``active`` while the new version is tried or watched, and ``done`` after. Otherwise it
``failed`` (nothing was switched), was ``rolled_back``, or was ``replaced`` by a later one.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from sqlite3 import Connection, Row
from typing import Any, Literal

from tunesmith.deployment import versions
from tunesmith.deployment.state import Tables
from tunesmith.deployment.versions import CANARY, MAIN
from tunesmith.errors import InputError

Kind = Literal["first", "deploy", "canary", "shadow", "promote", "rollback", "alias"]
Stage = Literal["wanted", "starting", "switched", "active", "done", "failed", "rolled_back", "replaced"]
#: Kinds that change which version the project's own name leads to.
MAIN_KINDS = ("first", "deploy", "promote", "rollback")
#: A version that was being started when the server ended so many times is given up.
MOST_ATTEMPTS = 2

TABLES = Tables(
    "rollouts",
    (
        """CREATE TABLE rollouts (
            id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, version TEXT NOT NULL REFERENCES versions(id),
            name TEXT NOT NULL, share REAL NOT NULL, before TEXT, stage TEXT NOT NULL, attempts INTEGER NOT NULL,
            automatic INTEGER NOT NULL, asked_at REAL NOT NULL, switched_at REAL, ended_at REAL, why TEXT NOT NULL,
            progress TEXT NOT NULL)""",
        "CREATE INDEX rollouts_by_stage ON rollouts (stage)",
    ),
)


@dataclass(frozen=True)
class Rollout:
    """One wish. ``before``: the version that the project's name led to. ``share``: of requests, for a canary.

    ``why``: why it failed or was taken back. ``progress``: what is being done. ``automatic``: no person asked for it.
    """

    id: int
    kind: Kind
    version: str
    name: str
    share: float
    before: str | None
    stage: Stage
    attempts: int
    automatic: bool
    asked_at: float
    switched_at: float | None
    ended_at: float | None
    why: str
    progress: str

    @property
    def over(self) -> bool:
        """Whether whoever asked need not wait any longer."""
        return self.stage not in ("wanted", "starting", "switched")

    @property
    def worked(self) -> bool:
        return self.over and self.stage != "failed"


@dataclass(frozen=True)
class Routing:
    """What the state wants a server to do: a version by each name, and the rollouts of a canary and a shadow."""

    aliases: dict[str, str]
    canary: Rollout | None = None
    shadow: Rollout | None = None

    @property
    def needed(self) -> list[str]:
        """The versions that must be loaded, each once, the project's own first."""
        tried = [one.version for one in (self.canary, self.shadow) if one]
        names = [self.aliases[name] for name in sorted(self.aliases) if name != CANARY]
        return list(dict.fromkeys([*names, *tried]))


def routing(connection: Connection) -> Routing:
    found = {one.kind: one for one in _where(connection, "stage IN ('switched', 'active')")}
    return Routing(versions.aliases(connection), found.get("canary"), found.get("shadow"))


def everything(connection: Connection) -> list[Rollout]:
    """All of them, the oldest first."""
    return _where(connection, "1")


def get(connection: Connection, id: int) -> Rollout:
    return _where(connection, "id = ?", id)[0]


def _where(connection: Connection, condition: str, *values: Any) -> list[Rollout]:
    rows = connection.execute(f"SELECT * FROM rollouts WHERE {condition} ORDER BY id", values)
    return [_of(row) for row in rows]


def _of(row: Row) -> Rollout:
    return Rollout(**{**dict(row), "automatic": bool(row["automatic"])})


def ask(
    connection: Connection,
    kind: Kind,
    version: str,
    *,
    name: str = MAIN,
    share: float = 0.0,
    automatic: bool = False,
    why: str = "",
) -> Rollout:
    """Record a wish. One of the same names that nobody has begun yet is replaced."""
    waiting = _where(connection, "stage = 'wanted'")
    for one in waiting:
        if (one.kind == "alias") == (kind == "alias") and one.name == name:
            end(connection, one.id, "replaced", "another was asked for before it began")
    sql = "INSERT INTO rollouts VALUES (NULL, ?, ?, ?, ?, NULL, 'wanted', 0, ?, ?, NULL, NULL, ?, '')"
    values = (kind, version, name, share, automatic, time.time(), why)
    return get(connection, int(connection.execute(sql, values).lastrowid or 0))


def record_first(connection: Connection, version: str) -> None:
    """Record what a server serves before anybody has deployed anything."""
    if versions.aliases(connection).get(MAIN) == version:
        return
    rollout = ask(connection, "first", version)
    switch(connection, rollout.id)
    end(connection, rollout.id, "done", "")


def is_deployed(connection: Connection) -> bool:
    """Whether anybody has said which version the project's name leads to."""
    kept = "kind IN ('deploy', 'promote', 'rollback') AND switched_at IS NOT NULL"
    return bool(_where(connection, kept))


def wanted(connection: Connection) -> Rollout | None:
    """The wish to be done next: going back comes first, then the one that waits longest."""
    waiting = _where(connection, "stage = 'wanted'")
    return min(waiting, key=lambda one: (one.kind != "rollback", one.id), default=None)


def begin(connection: Connection, id: int) -> bool:
    """Say that it is begun, before it is. False where it is not wanted any more, or was begun too often."""
    one = get(connection, id)
    if one.stage != "wanted":
        return False
    if one.attempts >= MOST_ATTEMPTS:
        end(connection, id, "failed", f"the server ended {one.attempts} times while it started this version")
        return False
    connection.execute("UPDATE rollouts SET stage = 'starting', attempts = attempts + 1 WHERE id = ?", (id,))
    return True


def tell(connection: Connection, id: int, progress: str) -> None:
    connection.execute("UPDATE rollouts SET progress = ? WHERE id = ?", (progress, id))


def end(connection: Connection, id: int, stage: Stage, why: str) -> None:
    sql = "UPDATE rollouts SET stage = ?, why = CASE WHEN ? = '' THEN why ELSE ? END, ended_at = ? WHERE id = ?"
    connection.execute(sql, (stage, why, why, time.time(), id))


def switch(connection: Connection, id: int) -> Rollout:
    """Let the names lead to the new version, and end what that ends: all of it in the transaction of the connection.

    Nothing is done where it was taken back meanwhile.
    """
    one = get(connection, id)
    if one.stage not in ("wanted", "starting"):
        return one
    before = versions.aliases(connection).get(MAIN)
    running = [other for other in _where(connection, "stage IN ('switched', 'active')") if other.id != id]
    if one.kind == "alias":
        versions.point(connection, one.name, one.version)
    elif one.kind == "canary":
        _end_trials(connection, running, one, "replaced")
        versions.point(connection, CANARY, one.version)
    elif one.kind == "shadow":
        _end_trials(connection, running, one, "replaced")
        _rest_canary(connection)
    else:
        _end_trials(connection, running, one, "rolled_back" if one.kind == "rollback" else "replaced")
        _end_watched(connection, running, one, before)
        versions.point(connection, MAIN, one.version)
        _rest_canary(connection)
    sql = "UPDATE rollouts SET stage = 'switched', before = ?, switched_at = ?, progress = '' WHERE id = ?"
    connection.execute(sql, (before, time.time(), id))
    return get(connection, id)


def _rest_canary(connection: Connection) -> None:
    """Without a version on trial the canary's name leads where the project's does, so that nobody's requests fail."""
    known = versions.aliases(connection)
    if CANARY in known:
        versions.point(connection, CANARY, known[MAIN])


def _end_trials(connection: Connection, running: list[Rollout], by: Rollout, otherwise: Stage) -> None:
    for other in running:
        if other.kind in ("canary", "shadow"):
            promoted = other.version == by.version and by.kind in ("deploy", "promote")
            end(connection, other.id, "done" if promoted else otherwise, by.why)


def _end_watched(connection: Connection, running: list[Rollout], by: Rollout, before: str | None) -> None:
    for other in running:
        if other.kind in MAIN_KINDS:
            end(connection, other.id, "done", "")
    if by.kind == "rollback" and by.version != before and (gone := _switched_to(connection, before)):
        end(connection, gone.id, "rolled_back", by.why)


def _switched_to(connection: Connection, version: str | None) -> Rollout | None:
    """The last switch to this version, from another or from none, that was not taken back."""
    kept = (
        "version = ? AND kind IN ('first', 'deploy', 'promote') AND switched_at IS NOT NULL AND before IS NOT version"
    )
    found = _where(connection, f"{kept} AND stage != 'rolled_back'", version)
    return found[-1] if found else None


def activate(connection: Connection, id: int) -> None:
    """The server answers as it was switched; what is neither tried nor watched is done."""
    one = get(connection, id)
    if one.stage == "switched":
        stage = "active" if one.kind in ("canary", "shadow", "deploy", "promote") else "done"
        connection.execute("UPDATE rollouts SET stage = ? WHERE id = ?", (stage, id))


def resume(connection: Connection) -> None:
    """After a start: what was being started is wanted still, what was switched is at work."""
    connection.execute("UPDATE rollouts SET stage = 'wanted', progress = '' WHERE stage = 'starting'")
    for one in _where(connection, "stage = 'switched'"):
        activate(connection, one.id)


def take_back(connection: Connection, id: int, why: str) -> None:
    """Record that a version at work is worse than the one before, so that this answers again."""
    one = get(connection, id)
    before = versions.aliases(connection)[MAIN] if one.kind == "canary" else one.before
    if one.stage == "active" and before not in (None, one.version):
        ask(connection, "rollback", before, automatic=True, why=why)


def ask_back(connection: Connection, why: str = "") -> Rollout:
    """Record the wish to go back: what was not switched yet is given up, a trial is ended; otherwise the version before
    answers again.

    Raises InputError ``nothing_to_roll_back``.
    """
    begun = [one for one in _where(connection, "stage IN ('wanted', 'starting')") if one.kind != "alias"]
    if begun:
        end(connection, begun[-1].id, "rolled_back", why or "taken back before it answered")
        return get(connection, begun[-1].id)
    found = routing(connection)
    now = found.aliases.get(MAIN)
    last = _switched_to(connection, now)
    if now is not None and (found.canary or found.shadow):
        return ask(connection, "rollback", now, why=why)
    if last is None or last.before is None:
        raise nothing_to_roll_back()
    return ask(connection, "rollback", last.before, why=why)


def nothing_to_roll_back() -> InputError:
    what = "there is no version before this one to go back to"
    return InputError("nothing_to_roll_back", what, fix="`tunesmith deploy --status` lists the versions")


def put_back(connection: Connection) -> None:
    """The server ends as it should while a version is being started: that is no attempt that failed."""
    sql = "UPDATE rollouts SET stage = 'wanted', attempts = attempts - 1, progress = '' WHERE stage = 'starting'"
    connection.execute(sql)


def ask_promotion(connection: Connection) -> Rollout:
    """Record the wish that the version on trial answers all. Raises InputError ``nothing_to_promote``."""
    found = routing(connection)
    tried = found.canary or found.shadow
    if tried is None:
        raise nothing_to_promote()
    return ask(connection, "promote", tried.version)


def nothing_to_promote() -> InputError:
    what = "no version is tried now, as a canary or in the shadow"
    return InputError("nothing_to_promote", what, "--promote", "`tunesmith deploy --canary 10%` begins")


def carry_out_now(connection: Connection, id: int) -> Rollout:
    """Without a server to start the version: switch at once, the next start loads what the names lead to."""
    if begin(connection, id):
        switch(connection, id)
        activate(connection, id)
    return get(connection, id)
