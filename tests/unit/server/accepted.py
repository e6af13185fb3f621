"""What a server has accepted: each entry is made after its client, person or owner was told, and must never be lost."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock

from tunesmith.deployment import versions
from tunesmith.deployment.state import FILE
from tunesmith.deployment.tables import open_state
from tunesmith.deployment.versions import CANARY, MAIN


@dataclass(frozen=True)
class Answer:
    """How a request ended for its client. ``version`` is None where it was not told, ``question`` and ``text`` where
    nothing was answered."""

    status: int
    error: str | None = None
    version: str | None = None
    question: str | None = None
    text: str | None = None


@dataclass(frozen=True)
class Remark:
    """Feedback that was accepted. ``id``: the server's own."""

    id: str
    request: str
    thumb: str
    comment: str


@dataclass
class Names:
    """What each name leads to. While a wish is carried out that is what was, or what is wished; nothing else."""

    lock: Lock = field(default_factory=Lock)
    now: Mapping[str, str] = field(default_factory=dict)
    wished: Mapping[str, str] | None = None
    rollouts: set[int] = field(default_factory=set)


@dataclass
class Accepted:
    """``answers`` by request, ``remarks`` by the client's id, ``tickets`` (to requests), ``replies`` of a person by
    ticket, ``fetched`` by clients."""

    answers: dict[str, Answer] = field(default_factory=dict)
    remarks: dict[str, Remark] = field(default_factory=dict)
    tickets: dict[str, str] = field(default_factory=dict)
    replies: dict[str, tuple[str, str]] = field(default_factory=dict)
    fetched: dict[str, tuple[str, str]] = field(default_factory=dict)
    names: Names = field(default_factory=Names)


def assert_kept(folder: Path, accepted: Accepted) -> None:
    """Everything that was accepted until now is in the state of the project, once and as it was told."""
    answers, remarks = dict(accepted.answers), dict(accepted.remarks)
    waiting, replies, fetched = dict(accepted.tickets), dict(accepted.replies), dict(accepted.fetched)
    with closing(sqlite3.connect(folder / FILE, timeout=30)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        _assert_logged(database, answers)
        _assert_said(database, remarks)
        _assert_handed_off(database, waiting, replies, fetched)
    _assert_names(folder, accepted.names)


def _assert_logged(database: sqlite3.Connection, answers: Mapping[str, Answer]) -> None:
    rows = database.execute("SELECT id, status, error, version FROM traffic").fetchall()
    found = {id: Answer(*told) for id, *told in rows}
    assert len(found) == len(rows)  # none twice
    for id, one in answers.items():
        logged = found[id]
        version = logged.version if one.version is not None else None
        assert replace(logged, version=version) == replace(one, question=None, text=None)
    texts = {id: tuple(told) for id, *told in database.execute("SELECT request, prompt, answers FROM traffic_texts")}
    whole = {id: one for id, one in answers.items() if one.text is not None}
    for id, one in whole.items():
        prompt, given = map(json.loads, texts[id])
        assert (prompt[-1]["content"], given) == (one.question, [one.text])
    known = {id for [id] in database.execute("SELECT request FROM answered")}
    assert whole.keys() <= known  # something can be said of each


def _assert_said(database: sqlite3.Connection, remarks: Mapping[str, Remark]) -> None:
    rows = database.execute("SELECT client_id, id, request, thumb, comment FROM feedback").fetchall()
    found = {name: Remark(f"feedback-{id}", *told) for name, id, *told in rows}
    assert len(found) == len(rows)
    assert {name: found.get(name) for name in remarks} == dict(remarks)


def _assert_handed_off(
    database: sqlite3.Connection,
    waiting: Mapping[str, str],
    replies: Mapping[str, tuple[str, str]],
    fetched: Mapping[str, tuple[str, str]],
) -> None:
    rows = database.execute("SELECT ticket, request, status, reply, fetched_at FROM hand_offs").fetchall()
    assert {ticket: request for ticket, request, *_ in rows if ticket in waiting} == waiting
    settled = {ticket: (status, reply) for ticket, _, status, reply, _ in rows if status != "waiting"}
    assert {ticket: settled.get(ticket) for ticket in replies} == replies
    assert {ticket: settled.get(ticket) for ticket in fetched} == fetched
    assert fetched.keys() <= {ticket for ticket, *_, at in rows if at is not None}


def _assert_names(folder: Path, names: Names) -> None:
    with closing(open_state(folder)) as state, names.lock:
        found = state.look(versions.aliases)
        assert found in [names.now, *([names.wished] if names.wished is not None else [])]
        known = {one.id for one in state.look(versions.everything)}
        assert set(found.values()) <= known
        recorded = {row[0] for row in state.look(lambda one: one.execute("SELECT id FROM rollouts").fetchall())}
        assert names.rollouts <= recorded


def after(names: Mapping[str, str], kind: str, name: str, version: str) -> dict[str, str]:
    """What the names lead to once a wish was carried out."""
    if kind == "alias":
        return {**names, name: version}
    if kind == "canary":
        return {**names, CANARY: version}
    return {**names, MAIN: version, **({CANARY: version} if CANARY in names else {})}
