"""A recorder that keeps what came of requests in a project's state, as a log does."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tunesmith.deployment.exchange import Exchange
from tunesmith.deployment.state import FILE, State, Tables

TABLES = (Tables("kept", ("CREATE TABLE kept (id TEXT PRIMARY KEY, status INTEGER, tokens INTEGER) STRICT",)),)


def open_kept(folder: Path) -> State:
    return State(folder / FILE, TABLES)


class Keeps:
    def __init__(self, state: State) -> None:
        self._state = state

    async def record(self, exchange: Exchange) -> None:
        row = (exchange.id, exchange.status, exchange.completion_tokens)

        def keep(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT INTO kept VALUES (?, ?, ?)", row)

        await self._state.write(keep)


def kept(folder: Path) -> dict[str, int]:
    """The ids of what was recorded, each with its status."""
    state = open_kept(folder)
    try:
        rows = state.look(lambda connection: connection.execute("SELECT id, status FROM kept").fetchall())
        state.look(lambda connection: connection.execute("PRAGMA integrity_check").fetchall())
        return {row["id"]: row["status"] for row in rows}
    finally:
        state.close()
