"""Records that are older than they may be are deleted, and their bytes with them."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Iterable
from dataclasses import dataclass

from tunesmith.deployment.log_settings import LogSettings
from tunesmith.deployment.state import State

DAY = 86_400.0
EVERY = 3600.0  # seconds
#: Deleted in one transaction at most, so that a server's requests need not wait for long.
AT_ONCE = 2_000

log = logging.getLogger("tunesmith.deployment")


@dataclass(frozen=True)
class Deleted:
    """How many records went, whole and texts alone; ``gone``: whether their bytes are out of the file already."""

    requests: int
    texts: int
    gone: bool


def expire(state: State, settings: LogSettings, now: float | None = None) -> Deleted:
    """Delete what is too old at ``now`` (seconds since 1970), and wipe it from the file."""
    now = time.time() if now is None else now
    oldest = now - settings.keep_days * DAY
    oldest_text = max(oldest, now - settings.keep_text_days * DAY)
    texts = _in_parts(state, "DELETE FROM traffic_texts WHERE number IN (SELECT number FROM traffic_texts", oldest_text)
    _in_parts(state, "DELETE FROM traffic_actions WHERE rowid IN (SELECT rowid FROM traffic_actions", oldest)
    requests = _in_parts(state, "DELETE FROM traffic WHERE number IN (SELECT number FROM traffic", oldest)
    return Deleted(requests, texts, state.wipe())  # what a kill kept from being wiped the last time goes now


def _in_parts(state: State, delete: str, oldest: float) -> int:
    statement = f"{delete} WHERE at < ? LIMIT {AT_ONCE})"
    done = 0
    while found := state.change(lambda connection: connection.execute(statement, (oldest,)).rowcount):
        done += found
    return done


def delete_requests(state: State, numbers: Iterable[int]) -> bool:
    """Delete these records whole. Whether their bytes are out of the file already."""
    rows = [(number,) for number in numbers]

    def delete(connection: sqlite3.Connection) -> None:
        for table in ("traffic_texts", "traffic_actions", "traffic"):
            connection.executemany(f"DELETE FROM {table} WHERE number = ?", rows)

    state.change(delete)
    return state.wipe()


async def keep_expiring(state: State, settings: LogSettings) -> None:
    """Delete what is too old now and every hour, until cancelled."""
    while True:
        try:
            await asyncio.to_thread(expire, state, settings)
        except Exception as error:  # a full disk, a file that another process holds: the next hour tries again
            log.error("old records could not be deleted: %s", type(error).__name__)
        await asyncio.sleep(EVERY)
