"""Requests that wait for a person, in a project's state: each is a ticket, which one person at a time has open.

Nothing is taken from one who has it: a claim ends by itself after some minutes, and a ticket is settled once.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from tunesmith.deployment.state import Tables
from tunesmith.example import Message, messages_from_json

Status = Literal["waiting", "answered", "declined"]
PREFIX = "ticket-"
DAY = 86_400.0
TICKETS = Tables(
    "hand_offs",
    (
        """CREATE TABLE hand_offs (
            ticket TEXT PRIMARY KEY, request TEXT NOT NULL, route TEXT NOT NULL, key TEXT NOT NULL,
            version TEXT NOT NULL, reason TEXT NOT NULL, asked_at REAL NOT NULL, prompt TEXT NOT NULL,
            answer TEXT, by_rule INTEGER NOT NULL, confidence REAL, status TEXT NOT NULL,
            holder TEXT, person TEXT, held_until REAL,
            reply TEXT, example INTEGER NOT NULL, settled_at REAL, fetched_at REAL) STRICT""",
        "CREATE INDEX hand_offs_by_status ON hand_offs (status, asked_at)",
        "CREATE INDEX hand_offs_by_request ON hand_offs (request)",
    ),
)


@dataclass(frozen=True)
class Ticket:
    """One request. ``prompt`` is JSON (see `messages`); ``answer`` what the model said, or with ``by_rule`` a rule.

    ``holder`` has it open until ``held_until``; ``person`` is their name, or of who settled it. ``reply`` is what was
    answered, or why it was declined; ``example``: whether the answer may become an example. ``fetched_at``: when the
    client was told.
    """

    ticket: str
    request: str
    route: str
    key: str
    version: str
    reason: str
    asked_at: float
    prompt: str
    answer: str | None
    by_rule: bool = False
    confidence: float | None = None
    status: Status = "waiting"
    holder: str | None = None
    person: str | None = None
    held_until: float | None = None
    reply: str | None = None
    example: bool = True
    settled_at: float | None = None
    fetched_at: float | None = None

    @property
    def messages(self) -> tuple[Message, ...]:
        return messages_from_json(self.prompt)

    @property
    def name(self) -> str:
        """The ticket without what all begin with."""
        return self.ticket.removeprefix(PREFIX)

    def held_by_another(self, holder: str, now: float) -> bool:
        """Whether somebody else has it open."""
        return self.holder not in (None, holder) and (self.held_until or 0.0) > now


COLUMNS = tuple(field.name for field in fields(Ticket))


@dataclass(frozen=True)
class Filter:
    """Which tickets: None lets all through. ``contains``: words of the request, in any case."""

    status: Status | None = "waiting"
    reason: str | None = None
    version: str | None = None
    key: str | None = None
    contains: str | None = None
    newest: bool = False

    @property
    def where(self) -> tuple[str, list[Any]]:
        """As SQL, with its values."""
        given = {name: getattr(self, name) for name in ("status", "reason", "key") if getattr(self, name) is not None}
        parts, values = [f"{name} = ?" for name in given], list(given.values())
        if self.version is not None:
            parts.append("(version = ? OR substr(version, instr(version, '@') + 1) = ?)")
            values += [self.version, self.version]
        if self.contains is not None:
            # a prompt is JSON, where characters may be escaped: words are looked for in its messages
            parts.append("contains(prompt, ?)")
            values.append(self.contains)
        return " AND ".join(parts) or "1", values

    @property
    def order(self) -> str:
        return "asked_at DESC, ticket DESC" if self.newest else "asked_at, ticket"


def new_name() -> str:
    """A name for a ticket, which nobody can guess."""
    return PREFIX + secrets.token_hex(12)


def insert(connection: sqlite3.Connection, ticket: Ticket, most: int) -> bool:
    """Keep a ticket; False where so many wait already."""
    waiting = connection.execute("SELECT count(*) FROM hand_offs WHERE status = 'waiting'").fetchone()[0]
    if waiting >= most:
        return False
    marks = ", ".join("?" for _ in COLUMNS)
    connection.execute(f"INSERT INTO hand_offs ({', '.join(COLUMNS)}) VALUES ({marks})", tuple(asdict(ticket).values()))
    return True


def find(connection: sqlite3.Connection, name: str) -> list[Ticket]:
    """The tickets with this name, or whose names begin so."""
    begin = PREFIX + name.removeprefix(PREFIX)
    rows = connection.execute(
        "SELECT * FROM hand_offs WHERE ticket >= ? AND ticket < ? ORDER BY ticket LIMIT 20", (begin, begin + "~")
    )
    return [_ticket(row) for row in rows]


def of_request(connection: sqlite3.Connection, request: str) -> Ticket | None:
    """The ticket of a request that was handed off as one."""
    rows = connection.execute("SELECT * FROM hand_offs WHERE request = ? LIMIT 2", (request,)).fetchall()
    return _ticket(rows[0]) if len(rows) == 1 else None


def examples(connection: sqlite3.Connection) -> list[Ticket]:
    """Those that a person answered, so that the answer may become an example; oldest first."""
    rows = connection.execute(
        "SELECT * FROM hand_offs WHERE status = 'answered' AND example = 1 ORDER BY settled_at, ticket"
    )
    return [_ticket(row) for row in rows]


def listed(connection: sqlite3.Connection, wanted: Filter, most: int) -> tuple[list[Ticket], int]:
    """The first tickets of a filter, and how many there are."""
    _know_contains(connection)
    where, values = wanted.where
    [count] = connection.execute(f"SELECT count(*) FROM hand_offs WHERE {where}", values).fetchone()
    rows = connection.execute(f"SELECT * FROM hand_offs WHERE {where} ORDER BY {wanted.order} LIMIT ?", [*values, most])
    return [_ticket(row) for row in rows], int(count)


@dataclass(frozen=True)
class Claim:
    """Who wants a ticket: this sitting of a person, from ``now`` for so many ``seconds``."""

    holder: str
    person: str
    now: float
    seconds: float = 0.0


def claim_next(connection: sqlite3.Connection, wanted: Filter, passed: Sequence[str], claim: Claim) -> Ticket | None:
    """Open the first ticket that waits, is not ``passed`` over and nobody else has open."""
    _know_contains(connection)
    where, values = wanted.where
    rows = connection.execute(
        f"SELECT * FROM hand_offs WHERE {where} AND status = 'waiting' "
        "AND (holder IS NULL OR holder = ? OR held_until <= ?) "
        f"ORDER BY {wanted.order}",
        [*values, claim.holder, claim.now],
    )
    skip = set(passed)
    found = next((_ticket(row) for row in rows if row["ticket"] not in skip), None)
    return claimed(connection, found.ticket, claim) if found is not None else None


def claimed(connection: sqlite3.Connection, ticket: str, claim: Claim) -> Ticket | None:
    """Open a ticket, or have it longer; None where somebody else has it open or it is settled."""
    done = connection.execute(
        "UPDATE hand_offs SET holder = ?, person = ?, held_until = ? WHERE ticket = ? AND status = 'waiting' "
        "AND (holder IS NULL OR holder = ? OR held_until <= ?)",
        (claim.holder, claim.person, claim.now + claim.seconds, ticket, claim.holder, claim.now),
    )
    return find(connection, ticket)[0] if done.rowcount else None


def release(connection: sqlite3.Connection, ticket: str, holder: str) -> None:
    """Let others have it."""
    connection.execute(
        "UPDATE hand_offs SET holder = NULL, person = NULL, held_until = NULL "
        "WHERE ticket = ? AND holder = ? AND status = 'waiting'",
        (ticket, holder),
    )


def settle(
    connection: sqlite3.Connection, ticket: str, status: Status, reply: str, claim: Claim, *, example: bool
) -> bool:
    """Answer or decline it; False where it is settled, or somebody else has it open."""
    done = connection.execute(
        "UPDATE hand_offs SET status = ?, reply = ?, person = ?, example = ?, settled_at = ?, "
        "holder = NULL, held_until = NULL WHERE ticket = ? AND status = 'waiting' "
        "AND (holder IS NULL OR holder = ? OR held_until <= ?)",
        (status, reply, claim.person, int(example), claim.now, ticket, claim.holder, claim.now),
    )
    return bool(done.rowcount)


def reopen(connection: sqlite3.Connection, ticket: str) -> bool:
    """Take back what was settled, so that it waits again; False where the client was told already."""
    done = connection.execute(
        "UPDATE hand_offs SET status = 'waiting', reply = NULL, person = NULL, example = 1, settled_at = NULL "
        "WHERE ticket = ? AND status != 'waiting' AND fetched_at IS NULL",
        (ticket,),
    )
    return bool(done.rowcount)


def fetched(connection: sqlite3.Connection, ticket: str, now: float) -> None:
    """Note that the client was told what came of it."""
    connection.execute(
        "UPDATE hand_offs SET fetched_at = ? WHERE ticket = ? AND status != 'waiting' AND fetched_at IS NULL",
        (now, ticket),
    )


def sweep(connection: sqlite3.Connection, now: float, waiting_days: float, settled_days: float) -> int:
    """Remove what was kept long enough, and return how many tickets that were."""
    done = connection.execute(
        "DELETE FROM hand_offs WHERE (status = 'waiting' AND asked_at < ?) OR (status != 'waiting' AND settled_at < ?)",
        (now - waiting_days * DAY, now - settled_days * DAY),
    )
    return done.rowcount


def _know_contains(connection: sqlite3.Connection) -> None:
    def contains(prompt: str, words: str) -> bool:
        text = "\n".join(message.text for message in messages_from_json(prompt))
        return words.casefold() in text.casefold()

    connection.create_function("contains", 2, contains, deterministic=True)


def _ticket(row: sqlite3.Row) -> Ticket:
    values = {name: row[name] for name in COLUMNS}
    return Ticket(**{**values, "by_rule": bool(values["by_rule"]), "example": bool(values["example"])})
