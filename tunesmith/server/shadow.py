"""Let a version answer in the shadow: what the clients asked of another, later, when nobody waits; nobody gets it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from tunesmith.deployment.exchange import Exchange
from tunesmith.deployment.outcomes import Shadow, add_shadow
from tunesmith.deployment.people import NobodyThere
from tunesmith.deployment.state import State
from tunesmith.server.call import Call
from tunesmith.server.crashes import places
from tunesmith.server.limits import Limiter
from tunesmith.server.refusal import refusal_of
from tunesmith.server.served import Served

#: Requests that wait to be asked again at most; the oldest is given up for a new one.
WAITING = 32
#: Seconds after which a request is given up that never found the model at rest.
PATIENCE = 120.0
#: Seconds between two looks at whether anybody is answered.
LOOK_SECONDS = 0.02

log = logging.getLogger("tunesmith.server")


@dataclass(frozen=True)
class Asked:
    """A request that was answered by ``before`` and is to be asked of ``shadow``. ``let_go`` is called at the end."""

    rollout: int
    before: Served
    shadow: Served
    call: Call
    ask: Callable[[Any, Call], Awaitable[Any]]
    let_go: Callable[[], None]
    at: float = field(default_factory=time.monotonic)


class Shadowing:
    """Asks one after the other, and begins only while the version that clients wait for is at rest."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._waiting: deque[Asked] = deque()
        self._come = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._work())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        while self._waiting:
            self._waiting.popleft().let_go()

    def put(self, asked: Asked) -> None:
        """Ask this later."""
        if len(self._waiting) >= WAITING:
            self._waiting.popleft().let_go()
        self._waiting.append(asked)
        self._come.set()

    async def _work(self) -> None:
        while True:
            await self._come.wait()
            self._come.clear()
            while self._waiting:
                asked = self._waiting.popleft()
                try:
                    if await self._at_rest(asked):
                        await self._ask(asked)
                except Exception as error:  # such as a full disk: the next may be kept again
                    log.error("%s: what the shadow answered is not kept: %s", asked.call.exchange.id, places(error))
                finally:
                    asked.let_go()

    async def _at_rest(self, asked: Asked) -> bool:
        while not asked.before.gate.idle:
            if time.monotonic() - asked.at > PATIENCE:
                return False
            await asyncio.sleep(LOOK_SECONDS)
        return True

    async def _ask(self, asked: Asked) -> None:
        """Answer as for a client, but hand nothing to people, and compare."""
        given = asked.call.exchange
        site = asked.shadow.site
        shadow = replace(asked.shadow, site=replace(site, people=NobodyThere()))
        exchange = Exchange(given.id, given.route, given.key, asked_model=given.asked_model, shadow=True)
        exchange.version = asked.shadow.version.full_name
        limiter = Limiter()  # what the client did not ask for is not counted against its key
        limiter.begin(asked.call.key)
        try:
            await asked.ask(shadow, Call(asked.call.key, exchange, limiter))
            exchange.end(200)
        except Exception as error:
            refusal = refusal_of(error)
            exchange.end(refusal.status, refusal.code)
        with contextlib.suppress(Exception):  # its record is no client's
            await site.record(exchange)
        well = exchange.status == 200
        equal = exchange.answers == given.answers if well else None
        seconds = exchange.total if well else None
        one = Shadow(asked.rollout, given.id, equal, exchange.error, seconds, given.total)
        await self._state.write(lambda connection: add_shadow(connection, one))
