"""The log of requests: what came of each, always; its texts, masked, where the project says so."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tunesmith.deployment.exchange import Exchange
from tunesmith.deployment.kept_text import KeptText, TextMasker, input_of
from tunesmith.deployment.state import State, Tables
from tunesmith.language import language_of

TRAFFIC = Tables(
    "traffic",
    (
        "CREATE TABLE traffic (number INTEGER PRIMARY KEY, id TEXT NOT NULL, at REAL NOT NULL, key TEXT NOT NULL, "
        "route TEXT NOT NULL, asked TEXT NOT NULL, version TEXT NOT NULL, stream INTEGER NOT NULL, "
        "shadow INTEGER NOT NULL, status INTEGER NOT NULL, error TEXT, finish TEXT, prompt_tokens INTEGER NOT NULL, "
        "completion_tokens INTEGER NOT NULL, waited REAL NOT NULL, first_token REAL, between_tokens REAL, "
        "total REAL NOT NULL, confidence REAL, label TEXT, handed_off INTEGER NOT NULL, fits_schema INTEGER, "
        "characters INTEGER, language TEXT, distance REAL, answered INTEGER)",
        "CREATE INDEX traffic_at ON traffic (at)",
        "CREATE INDEX traffic_id ON traffic (id)",
        "CREATE INDEX traffic_answered ON traffic (version, answered) WHERE answered IS NOT NULL",
        "CREATE TABLE traffic_actions (number INTEGER NOT NULL, at REAL NOT NULL, version TEXT NOT NULL, "
        "key TEXT NOT NULL, rule TEXT NOT NULL, did TEXT NOT NULL, place TEXT NOT NULL)",
        "CREATE INDEX traffic_actions_at ON traffic_actions (at)",
        "CREATE TABLE traffic_texts (number INTEGER PRIMARY KEY, request TEXT NOT NULL, at REAL NOT NULL, "
        "prompt TEXT NOT NULL, answers TEXT NOT NULL)",
        "CREATE INDEX traffic_texts_at ON traffic_texts (at)",
    ),
)
#: What is asked on these routes is a list of texts, each by itself.
SEVERAL = ("/v1/classifications", "/v1/embeddings")

_COLUMNS = (
    "id", "at", "key", "route", "asked", "version", "stream", "shadow", "status", "error", "finish", "prompt_tokens",
    "completion_tokens", "waited", "first_token", "between_tokens", "total", "confidence", "label", "handed_off",
    "fits_schema", "characters", "language",
)  # fmt: skip
#: ``answered`` counts the answers of a version that went to clients: looks for drift are taken by it.
_NTH = "(SELECT COALESCE(MAX(answered), 0) + 1 FROM traffic WHERE version = ? AND answered IS NOT NULL)"
_INSERT = f"INSERT INTO traffic ({', '.join(_COLUMNS)}, answered) VALUES ({', '.join('?' * len(_COLUMNS))}, "

#: Told of each request with an input: its number in the log, its version, its input.
Heard = Callable[[int, str, str], None]


@dataclass(frozen=True)
class Traffic:
    """Keeps what came of requests. ``masker`` is None where texts are not kept; ``heard`` may look at inputs."""

    state: State
    masker: TextMasker | None = None
    heard: Heard = lambda number, version, text: None

    async def record(self, exchange: Exchange) -> None:
        text = input_of(exchange.prompt, several=exchange.route in SEVERAL)
        kept = await self.masker.keep(exchange) if self.masker and exchange.prompt else None
        values = _values(exchange, text)
        actions = [(one.rule, one.did, one.where) for one in exchange.actions]
        answered = bool(exchange.version) and exchange.status == 200 and not exchange.shadow
        number = await self.state.write(lambda connection: _insert(connection, values, answered, actions, kept))
        if text and answered:
            self.heard(number, exchange.version, text)


def _values(exchange: Exchange, text: str) -> tuple[Any, ...]:
    language = language_of(text) if text else None
    return (
        exchange.id,
        exchange.arrived_at,
        exchange.key,
        exchange.route,
        exchange.asked_model,
        exchange.version,
        int(exchange.stream),
        int(exchange.shadow),
        exchange.status,
        exchange.error,
        exchange.finish_reason,
        exchange.prompt_tokens,
        exchange.completion_tokens,
        exchange.waited,
        exchange.first_token,
        between_tokens(exchange),
        exchange.total or 0.0,
        exchange.confidence,
        exchange.label,
        int(exchange.handed_off),
        None if exchange.fits_schema is None else int(exchange.fits_schema),
        len(text) if text else None,
        None if language is None else language.code,
    )


def between_tokens(exchange: Exchange) -> float | None:
    """Seconds from one token to the next, as the mean of the answer; None for fewer than two tokens."""
    first, last, tokens = exchange.first_token, exchange.last_token, exchange.completion_tokens
    return (last - first) / (tokens - 1) if first is not None and last is not None and tokens > 1 else None


def _insert(
    connection: sqlite3.Connection,
    values: Sequence[Any],
    answered: bool,
    actions: Sequence[tuple[str, str, str]],
    kept: KeptText | None,
) -> int:
    id, at, key, version = values[0], values[1], values[2], values[5]
    if answered:
        number = connection.execute(f"{_INSERT}{_NTH})", (*values, version)).lastrowid
    else:
        number = connection.execute(f"{_INSERT}NULL)", values).lastrowid
    assert number is not None
    connection.executemany(
        "INSERT INTO traffic_actions VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(number, at, version, key, *action) for action in actions],
    )
    if kept is not None:
        connection.execute(
            "INSERT INTO traffic_texts VALUES (?, ?, ?, ?, ?)", (number, id, at, kept.prompt, kept.answers)
        )
    return number
