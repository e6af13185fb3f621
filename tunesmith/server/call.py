"""A request on its way through the server: whose it is, what comes of it, and what is to be done when it is over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from tunesmith.deployment.exchange import Exchange
from tunesmith.server.keys import Key
from tunesmith.server.limits import Gate, Limiter
from tunesmith.server.site import Site


async def _nobody(call: Call) -> None:
    """Keep nothing of a request that is no client's."""


class Call:
    """``site``: of the project that was asked, None until a model was found. ``record`` keeps what came of it."""

    def __init__(
        self,
        key: Key,
        exchange: Exchange,
        limiter: Limiter,
        record: Callable[[Call], Awaitable[None]] = _nobody,
    ) -> None:
        self.key = key
        self._limiter = limiter
        self.exchange = exchange
        self.site: Site | None = None
        self._record = record
        self._recording: asyncio.Future[None] | None = None
        self._at_end: list[Callable[[], None]] = []

    def at_end(self, do: Callable[[], None]) -> None:
        """Have something done when the request is over, however it ended."""
        self._at_end.append(do)

    async def end(self, status: int, error: str | None = None) -> None:
        """Note how it ended, and have it recorded: to be awaited before the client can know that its answer is whole.

        It is recorded once, and to the end also when the client goes away meanwhile.
        """
        self.exchange.end(status, error)
        if self._recording is None:
            self._recording = asyncio.ensure_future(self._record(self))
        await asyncio.shield(self._recording)

    def read(self, tokens: int) -> None:
        """Note and count the tokens of the prompt. Raises Refusal where they are more than the key may use now."""
        self._limiter.read(self.key, tokens)
        self.exchange.prompt_tokens += tokens

    def token_written(self) -> None:
        """Note and count a token of the answer."""
        self.exchange.token_written()
        self._limiter.wrote(self.key)

    def settle(self, prompt: int, noted: int, told: int) -> None:
        """Take the counts of who wrote an answer: of its prompt, and of its tokens in place of those ``noted``."""
        self.exchange.prompt_tokens = prompt
        self.exchange.completion_tokens += told - noted
        self._limiter.wrote(self.key, max(0, told - noted))

    @asynccontextmanager
    async def turn(self, gate: Gate) -> AsyncIterator[None]:
        """Wait for a turn at the model, and note how long that took."""
        began = time.monotonic()
        async with gate.turn(self.key.name):
            self.exchange.waited += time.monotonic() - began
            yield

    def close(self) -> None:
        """The request is over."""
        while self._at_end:
            self._at_end.pop()()
