"""Records that are older than they may be are deleted, and their bytes with them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tunesmith.deployment import feedback, tickets
from tunesmith.deployment.log_settings import LogSettings
from tunesmith.deployment.people_settings import FeedbackSettings, HandOffSettings
from tunesmith.deployment.state import State
from tunesmith.deployment.tickets import DAY

EVERY = 600.0  # seconds
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


def expire_people(
    state: State,
    hand_off: Literal["off"] | HandOffSettings,
    said: Literal["off"] | FeedbackSettings,
    now: float | None = None,
) -> None:
    """Delete what people were asked and said that is too old. What is off now was on once: it goes by the usual days.

    The bytes are gone from the file with the next `State.wipe`.
    """
    now = time.time() if now is None else now
    asked = HandOffSettings() if hand_off == "off" else hand_off  # type: ignore[call-arg]
    heard = FeedbackSettings() if said == "off" else said  # type: ignore[call-arg]
    state.change(lambda connection: tickets.sweep(connection, now, asked.waiting_days, asked.settled_days))
    state.change(lambda connection: feedback.sweep(connection, heard, now))


async def keep_expiring(expire_all: Callable[[], object]) -> None:
    """Delete what is too old now and every ten minutes, until cancelled."""
    while True:
        try:
            await asyncio.to_thread(expire_all)
        except Exception as error:  # a full disk, a file that another process holds: the next time tries again
            log.error("old records could not be deleted: %s", type(error).__name__)
        await asyncio.sleep(EVERY)
