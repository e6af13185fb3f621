"""What users say of answers: thumbs, comments and corrections, each about one request of the same key.

Of every answered request its id, key and version are kept for some days, and nothing of its text.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from tunesmith.artifact import hash_of
from tunesmith.deployment import tickets
from tunesmith.deployment.exchange import Exchange
from tunesmith.deployment.people import Mask, as_it_came
from tunesmith.deployment.people_settings import FeedbackSettings
from tunesmith.deployment.state import State, Tables
from tunesmith.example import Message, messages_from_json, messages_to_json

Thumb = Literal["up", "down"]
_WRITTEN = ("client_id", "request", "key", "version", "route", "at", "thumb", "comment", "correction", "prompt", "said")
#: What can be said of one request.
MOST = 50
FEEDBACK = Tables(
    "feedback",
    (
        "CREATE TABLE answered (request TEXT PRIMARY KEY, key TEXT NOT NULL, version TEXT NOT NULL, "
        "route TEXT NOT NULL, at REAL NOT NULL) STRICT, WITHOUT ROWID",
        "CREATE INDEX answered_by_time ON answered (at)",
        """CREATE TABLE feedback (
            id INTEGER PRIMARY KEY, client_id TEXT, request TEXT NOT NULL, key TEXT NOT NULL, version TEXT NOT NULL,
            route TEXT NOT NULL, at REAL NOT NULL, thumb TEXT, comment TEXT, correction TEXT, prompt TEXT,
            said TEXT NOT NULL,            UNIQUE (key, client_id)) STRICT""",
        "CREATE INDEX feedback_by_request ON feedback (request)",
        "CREATE INDEX feedback_by_time ON feedback (at)",
    ),
)


class NoSuchRequest(Exception):
    """No request of this key has the id, or its time is over."""


class SaidOtherwise(Exception):
    """The client used its id before, for something else."""


class TooMuch(Exception):
    """So much was said of the request already."""


@dataclass(frozen=True)
class Answered:
    """A request that was answered. ``at``: seconds since 1970."""

    request: str
    key: str
    version: str
    route: str
    at: float


@dataclass(frozen=True)
class Said:
    """What a client says of a request. ``messages``: the request itself, where no text of it was kept here.

    ``client_id``: the client's own name for it, so that saying it again changes nothing.
    """

    request: str
    thumb: Thumb | None = None
    comment: str | None = None
    correction: str | None = None
    messages: tuple[Message, ...] = ()
    client_id: str | None = None


@dataclass(frozen=True)
class Feedback:
    """What was said. ``prompt`` is JSON, None where no text of the request is known: a correction is a remark then."""

    id: int
    client_id: str | None
    request: str
    key: str
    version: str
    route: str
    at: float
    thumb: Thumb | None
    comment: str | None
    correction: str | None
    prompt: str | None

    @property
    def messages(self) -> tuple[Message, ...]:
        return messages_from_json(self.prompt) if self.prompt is not None else ()


@dataclass(frozen=True)
class Thumbs:
    """How often a version's answers were found good and bad; of several thumbs for a request the last counts.

    ``answered``: requests of it that something can still be said of, ``remarks`` comments and corrections.
    """

    version: str
    up: int
    down: int
    remarks: int
    answered: int


@dataclass
class FeedbackBook:
    """What is said of the answers of one project. It is a recorder too: what it has not recorded has no feedback."""

    state: State
    settings: FeedbackSettings
    mask: Mask = as_it_came
    clock: Callable[[], float] = time.time

    async def record(self, exchange: Exchange) -> None:
        """Note that a request was answered; of one that was refused nothing can be said."""
        if not exchange.version or exchange.shadow or exchange.status != 200:
            return
        values = (exchange.id, exchange.key, exchange.version, exchange.route, exchange.arrived_at)
        sql = "INSERT OR IGNORE INTO answered VALUES (?, ?, ?, ?, ?)"
        await self.state.write(lambda one: one.execute(sql, values))

    async def find(self, request: str, key: str) -> Answered:
        """The request, of this key. Raises NoSuchRequest."""
        oldest = self.clock() - self.settings.request_days * tickets.DAY

        def work(one: sqlite3.Connection) -> Answered:
            row = one.execute(
                "SELECT request, key, version, route, at FROM answered WHERE request = ? AND key = ? AND at >= ?",
                (request, key, oldest),
            ).fetchone()
            if row is None:
                raise NoSuchRequest
            return Answered(*row)

        return await self.state.read(work)

    async def add(self, answered: Answered, said: Said) -> tuple[Feedback, bool]:
        """Keep it, durably, and return it with whether it is new. Raises SaidOtherwise or TooMuch."""
        whole = hash_of([said.request, said.thumb, said.comment, said.correction, messages_to_json(said.messages)])
        masked = await asyncio.to_thread(self._masked, said)
        return await self.state.write(lambda one: self._add(one, answered, masked, whole))

    def _add(self, one: sqlite3.Connection, answered: Answered, said: Said, whole: str) -> tuple[Feedback, bool]:
        if said.client_id is not None:
            known = one.execute(
                "SELECT * FROM feedback WHERE key = ? AND client_id = ?", (answered.key, said.client_id)
            ).fetchone()
            if known is not None:
                if known["said"] != whole:
                    raise SaidOtherwise
                return _feedback(known), False
        [count] = one.execute("SELECT count(*) FROM feedback WHERE request = ?", (said.request,)).fetchone()
        if count >= MOST:
            raise TooMuch
        done = one.execute(
            f"INSERT INTO feedback ({', '.join(_WRITTEN)}) VALUES ({', '.join('?' * len(_WRITTEN))})",
            (
                said.client_id,
                said.request,
                answered.key,
                answered.version,
                answered.route,
                self.clock(),
                said.thumb,
                said.comment,
                said.correction,
                _prompt(one, said),
                whole,
            ),
        )
        row = one.execute("SELECT * FROM feedback WHERE id = ?", (done.lastrowid,)).fetchone()
        return _feedback(row), True

    def _masked(self, said: Said) -> Said:
        correction = said.correction and self.mask([*said.messages, Message.of("assistant", said.correction)])[-1].text
        comment = said.comment and self.mask([Message.of("user", said.comment)])[0].text
        return replace(said, comment=comment, correction=correction, messages=self.mask(said.messages))


def _prompt(one: sqlite3.Connection, said: Said) -> str | None:
    """The request that a correction is about: as it was handed to a person, or as the client tells it."""
    if said.correction is None:
        return None
    ticket = tickets.of_request(one, said.request)
    if ticket is not None:
        return ticket.prompt
    return messages_to_json(said.messages) if said.messages else None


def sweep(one: sqlite3.Connection, settings: FeedbackSettings, now: float) -> None:
    """Remove what was kept long enough."""
    one.execute("DELETE FROM answered WHERE at < ?", (now - settings.request_days * tickets.DAY,))
    one.execute("DELETE FROM feedback WHERE at < ?", (now - settings.keep_days * tickets.DAY,))


def thumbs_by_version(one: sqlite3.Connection, since: float = 0.0) -> list[Thumbs]:
    """The thumbs of each version since a time (seconds since 1970), by name; for `State.look`."""
    rows = one.execute(
        """
        WITH last AS (
            SELECT version, request, thumb FROM feedback AS one
            WHERE thumb IS NOT NULL AND at >= :since AND id = (
                SELECT max(id) FROM feedback WHERE request = one.request AND thumb IS NOT NULL)
        ), versions AS (
            SELECT version FROM feedback WHERE at >= :since UNION SELECT version FROM answered WHERE at >= :since
        )
        SELECT version,
            (SELECT count(*) FROM last WHERE last.version = versions.version AND thumb = 'up') AS up,
            (SELECT count(*) FROM last WHERE last.version = versions.version AND thumb = 'down') AS down,
            (SELECT count(*) FROM feedback WHERE feedback.version = versions.version AND at >= :since
                AND (comment IS NOT NULL OR correction IS NOT NULL)) AS remarks,
            (SELECT count(*) FROM answered WHERE answered.version = versions.version AND at >= :since) AS answered
        FROM versions ORDER BY version
        """,
        {"since": since},
    )
    return [Thumbs(row["version"], row["up"], row["down"], row["remarks"], row["answered"]) for row in rows]


def remarks(one: sqlite3.Connection, most: int) -> list[Feedback]:
    """The latest feedback that says something in words, newest first."""
    rows = one.execute(
        "SELECT * FROM feedback WHERE comment IS NOT NULL OR correction IS NOT NULL ORDER BY at DESC, id DESC LIMIT ?",
        (most,),
    )
    return [_feedback(row) for row in rows]


def corrections(one: sqlite3.Connection) -> list[Feedback]:
    """Corrections whose request is known, oldest first."""
    rows = one.execute("SELECT * FROM feedback WHERE correction IS NOT NULL AND prompt IS NOT NULL ORDER BY at, id")
    return [_feedback(row) for row in rows]


def _feedback(row: sqlite3.Row) -> Feedback:
    return Feedback(**{name: row[name] for name in Feedback.__dataclass_fields__})
