"""What a project's state holds of people's words, so that it can be found and removed for good."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tunesmith.deployment.state import FILE
from tunesmith.deployment.tables import open_state
from tunesmith.errors import TunesmithError
from tunesmith.example import messages_from_json

#: The columns of each table that hold texts, and its name for a row. ``prompt`` is JSON of messages.
HOLDERS = {
    "hand_offs": ("ticket", ("ticket", "request", "prompt", "answer", "reply", "person", "key")),
    "feedback": ("id", ("request", "prompt", "comment", "correction", "client_id", "key")),
    "traffic_texts": ("number", ("request", "prompt", "answers")),
}


@dataclass(frozen=True)
class Held:
    """One row: ``id`` is the table and its name there, ``asked`` the request, ``texts`` all that it says.

    The ids of the request and the ticket are among the texts: who was given one can name it.
    """

    id: str
    asked: str
    texts: tuple[str, ...]


def held(folder: Path) -> list[Held]:
    """Every row that holds words of people. ``folder``: a project's own (``.tunesmith``)."""
    if not (folder / FILE).exists():
        return []
    state = open_state(folder)
    try:
        return state.look(_held)
    finally:
        state.close()


def _held(connection: sqlite3.Connection) -> list[Held]:
    found = []
    for table, (id, columns) in HOLDERS.items():
        for row in connection.execute(f"SELECT {id} AS row_id, {', '.join(columns)} FROM {table} ORDER BY {id}"):
            messages = messages_from_json(row["prompt"]) if row["prompt"] else ()
            others = [str(row[name]) for name in columns if name != "prompt" and row[name] is not None]
            asked = messages[-1].text if messages else ""
            found.append(Held(f"{table} {row['row_id']}", asked, (*(message.text for message in messages), *others)))
    return found


def remove(folder: Path, ids: Iterable[str]) -> None:
    """Remove these rows so that nothing of them is left in the file. Doing it again changes nothing.

    Raises InputError ``damaged_state``, and TunesmithError ``state_in_use`` where somebody keeps reading it.
    """
    wanted = [id.split(" ", 1) for id in ids]
    if not wanted or not (folder / FILE).exists():
        return
    state = open_state(folder)

    def work(connection: sqlite3.Connection) -> None:
        for table, id in wanted:
            column, _ = HOLDERS[table]
            connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (id,))

    try:
        state.change(work)
        gone = state.wipe()  # what was written before lies in the log beside the file until it is emptied
    finally:
        state.close()
    if not gone:
        what = "what was removed still stands in the log of the server's state, which somebody is reading"
        fix = "end the server; the next command finishes the forgetting"
        raise TunesmithError("state_in_use", what, str(folder / FILE), fix)
