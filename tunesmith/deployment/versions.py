"""Versions, and the names that lead to them, in the server's state. A version never changes; a name is switched.

All functions are given a connection of `state.State`, and belong in one of its transactions.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from sqlite3 import Connection, Row
from typing import Any

from tunesmith.deployment.state import Tables
from tunesmith.errors import InputError

#: Letters of a version's id that it goes by at least.
SHOWN = 4
#: The name of the project itself, and that of the version which is tried on a share of the requests.
MAIN, CANARY = "", "canary"
#: What a name behind the project's may be.
NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")

TABLES = Tables(
    "versions",
    (
        """CREATE TABLE versions (
            id TEXT PRIMARY KEY, number INTEGER NOT NULL UNIQUE, shown TEXT NOT NULL UNIQUE, recorded_at REAL NOT NULL,
            made_of TEXT NOT NULL, export TEXT, probes TEXT)""",
        """CREATE TRIGGER versions_never_change BEFORE UPDATE ON versions WHEN
            NEW.id IS NOT OLD.id OR NEW.shown IS NOT OLD.shown OR NEW.made_of IS NOT OLD.made_of
            OR (OLD.export IS NOT NULL AND NEW.export IS NOT OLD.export)
            OR (OLD.probes IS NOT NULL AND NEW.probes IS NOT OLD.probes)
            BEGIN SELECT RAISE(ABORT, 'a version never changes'); END""",
        """CREATE TABLE aliases (
            name TEXT PRIMARY KEY, version TEXT NOT NULL REFERENCES versions(id), since REAL NOT NULL)""",
    ),
)


@dataclass(frozen=True)
class Probe:
    """A test row whose answer is known: its ``id``, and a hash of the tokens (or the label) of the answer."""

    id: str
    answer: str


@dataclass(frozen=True)
class Record:
    """What a version is made of, as it was recorded.

    ``made_of``: the ids of its artifacts by stage, how it is asked, its longest answer, its verdict. ``export``: the
    form and the folder (in the project) of its own export, None where the model runs as it was trained. ``probes``:
    rows that it must answer as its certificate says before it is let to work.
    """

    id: str
    shown: str
    number: int
    made_of: Mapping[str, Any]
    export: Mapping[str, Any] | None = None
    probes: tuple[Probe, ...] = ()
    recorded_at: float = field(default=0.0, compare=False)


def add(
    connection: Connection,
    id: str,
    made_of: Mapping[str, Any],
    export: Mapping[str, Any] | None = None,
    probes: tuple[Probe, ...] = (),
) -> Record:
    """Record a version, or complete one that is there with its export. Returns it as it stands."""
    packed = [[one.id, one.answer] for one in probes]
    told = _json(made_of), _json(export) if export else None, _json(packed) if probes else None
    known = connection.execute("SELECT * FROM versions WHERE id = ?", (id,)).fetchone()
    if known is None:
        number = connection.execute("SELECT coalesce(max(number), 0) + 1 FROM versions").fetchone()[0]
        values = (id, number, _shortest(connection, id), time.time(), *told)
        connection.execute("INSERT INTO versions VALUES (?, ?, ?, ?, ?, ?, ?)", values)
    else:
        sql = "UPDATE versions SET export = coalesce(export, ?), probes = coalesce(probes, ?) WHERE id = ?"
        connection.execute(sql, (*told[1:], id))
    return get(connection, id)


def _shortest(connection: Connection, id: str) -> str:
    """The beginning of the id that no other version goes by."""
    taken = {row["shown"] for row in connection.execute("SELECT shown FROM versions")}
    return next((id[:size] for size in range(SHOWN, len(id)) if id[:size] not in taken), id)


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def get(connection: Connection, id: str) -> Record:
    """The version of exactly this id."""
    return _record(connection.execute("SELECT * FROM versions WHERE id = ?", (id,)).fetchone())


def find(connection: Connection, words: str) -> Record | None:
    """The version that a user names: by its id or the beginning of it, with or without the project's name and @."""
    id = words.rpartition("@")[2]
    if len(id) < SHOWN:
        return None
    sql = "SELECT * FROM versions WHERE shown = ? OR substr(id, 1, ?) = ? ORDER BY shown = ? DESC"
    found = connection.execute(sql, (id, len(id), id, id)).fetchall()
    if len(found) > 1 and found[0]["shown"] != id:
        names = ", ".join(f"@{row['shown']}" for row in found)
        raise InputError("which_version", f"{words!r} may be {names}", "deploy", "write more of it")
    return _record(found[0]) if found else None


def unknown_version(words: str) -> InputError:
    fix = "`tunesmith deploy --status` lists those that were"
    if len(words.rpartition("@")[2]) < SHOWN:
        what = f"{words!r} is too short for the id of a version"
        return InputError("unknown_version", what, "deploy", f"write {SHOWN} letters of it at least: {fix}")
    return InputError("unknown_version", f"no version {words!r} was deployed or served before", "deploy", fix)


def everything(connection: Connection) -> list[Record]:
    """All versions, the oldest first."""
    return [_record(row) for row in connection.execute("SELECT * FROM versions ORDER BY number")]


def _record(row: Row) -> Record:
    export, probes = row["export"], row["probes"]
    return Record(
        row["id"],
        row["shown"],
        row["number"],
        json.loads(row["made_of"]),
        json.loads(export) if export else None,
        tuple(Probe(*one) for one in json.loads(probes)) if probes else (),
        row["recorded_at"],
    )


def aliases(connection: Connection) -> dict[str, str]:
    """The id of the version by each name; the project's own name is the empty one."""
    return {row["name"]: row["version"] for row in connection.execute("SELECT name, version FROM aliases")}


def point(connection: Connection, name: str, version: str) -> None:
    """Let a name lead to a version."""
    connection.execute("INSERT OR REPLACE INTO aliases VALUES (?, ?, ?)", (name, version, time.time()))


def drop(connection: Connection, name: str) -> None:
    """Take a name away. Raises InputError ``unknown_alias``."""
    if name in (MAIN, CANARY) or not connection.execute("DELETE FROM aliases WHERE name = ?", (name,)).rowcount:
        raise unknown_alias(name, [one for one in aliases(connection) if one not in (MAIN, CANARY)])


def unknown_alias(name: str, known: Sequence[str]) -> InputError:
    fix = f"names: {', '.join(known) or 'none'}"
    return InputError("unknown_alias", f"there is no name {name!r} to take away", "--drop", fix)


def check_name(name: str) -> None:
    """Raises InputError ``bad_alias``."""
    if not NAME.fullmatch(name) or name == CANARY:
        what = f"{name!r} cannot name a version"
        raise InputError("bad_alias", what, "--as", "lower-case letters, digits, - and _, such as stable; not canary")
