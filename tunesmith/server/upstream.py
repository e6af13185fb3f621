"""Engines that are servers of somebody's: asked by token ids or by messages, and proven before they answer anybody."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from tunesmith.engines import upstream_chat, upstream_tokens
from tunesmith.engines.upstream import Upstream, UpstreamError, Wire
from tunesmith.engines.upstream_chat import Piece
from tunesmith.generation import Sampling, WrittenToken
from tunesmith.server.crashes import places
from tunesmith.server.engines import FRESH_SECONDS
from tunesmith.server.refusal import Refusal
from tunesmith.server.schema_checks import SchemaChecks

#: Seconds between two proofs of an upstream that failed one, doubled each time.
FIRST_WAIT, LONGEST_WAIT = 0.5, 10.0
#: Seconds that a start waits for the first proof.
START_SECONDS = 30.0

Part = TypeVar("Part")
log = logging.getLogger("tunesmith.server")


@dataclass
class Line:
    """The way to an upstream. ``on_gone`` is called when the connection fails: what comes back may be another one."""

    wire: Wire
    on_gone: Callable[[], None] = lambda: None
    wrote_at: float = -FRESH_SECONDS
    _said: str = ""

    async def read(self, answer: AsyncGenerator[Part]) -> AsyncGenerator[Part]:
        """The parts of an answer; what goes wrong becomes a refusal."""
        try:
            async with aclosing(answer):
                async for part in answer:
                    self.wrote_at, self._said = time.monotonic(), ""
                    yield part
        except UpstreamError as error:
            # a refusal is about one request, and the same again is no news
            if error.code != "upstream_refuses" and error.what != self._said:
                self._said = error.what
                log.error("%s: %s", self.wire.upstream.endpoint.url, error.what)
            if error.gone:
                self.wrote_at = -FRESH_SECONDS
                self.on_gone()
            raise _refusal(error) from error

    @property
    def is_fresh(self) -> bool:
        """Whether it wrote so lately that it needs no trial."""
        return time.monotonic() - self.wrote_at < FRESH_SECONDS


def _refusal(error: UpstreamError) -> Refusal:
    if error.code == "upstream_refuses":
        return Refusal(400, error.code, f"the server behind this model refuses the request: {error.said}")
    if error.code == "upstream_odd":
        what = "the server behind this model answers something odd; its owner can see why in the log"
        return Refusal(502, error.code, what, retry_after=error.retry_after)
    what = "the server behind this model does not answer now"
    return Refusal(503, error.code, what, retry_after=error.retry_after)


class UpstreamText:
    """The model at a server that is asked by token ids, so that the prompt is that of training. ``end`` is the id of
    the end token."""

    def __init__(self, upstream: Upstream, end: int, probe: Sequence[int], check_schema: Any) -> None:
        self.name: str = upstream.kind
        self.slots = upstream.endpoint.at_once
        self.line = Line(Wire(upstream))
        self._end = end
        self._probe = list(probe)
        self._schemas = SchemaChecks(check_schema)

    async def write(self, prompt: Sequence[int], sampling: Sampling) -> AsyncIterator[WrittenToken]:
        if sampling.grammar is not None:
            what = "the server behind this model cannot be kept to calls of tools"
            raise Refusal(400, "calls_not_enforceable", f"{what}: send tool_choice: auto, without response_format")
        if sampling.schema is not None:
            await self._schemas.check(sampling.schema)
        answer = upstream_tokens.write(self.line.wire, prompt, sampling, self._end)
        async with aclosing(self.line.read(answer)) as tokens:
            async for token in tokens:
                yield token

    async def start(self) -> None:
        await self._schemas.warm()

    async def works(self) -> bool:
        return self.line.is_fresh or await _any(self.write(self._probe, Sampling(1)))

    async def close(self) -> None:
        self._schemas.close()
        await self.line.wire.close()


class UpstreamChat:
    """The model at a server that is asked by messages, and puts them into a prompt itself."""

    def __init__(self, upstream: Upstream) -> None:
        self.name: str = upstream.kind
        self.slots = upstream.endpoint.at_once
        self.line = Line(Wire(upstream))

    async def write(self, messages: Sequence[Mapping[str, Any]], asked: Mapping[str, Any]) -> AsyncIterator[Piece]:
        """Write piece by piece; ``asked`` in OpenAI's words, with ``max_tokens``. The last piece says why it ended."""
        answer = upstream_chat.write(self.line.wire, messages, asked)
        async with aclosing(self.line.read(answer)) as pieces:
            async for piece in pieces:
                yield piece

    async def start(self) -> None:
        """The first request opens the connection."""

    async def works(self) -> bool:
        probe = [{"role": "user", "content": "a"}]
        return self.line.is_fresh or await _any(self.write(probe, {"max_tokens": 1, "temperature": 0}))

    async def close(self) -> None:
        await self.line.wire.close()


async def _any(answer: Any) -> bool:
    async with aclosing(answer):
        async for _ in answer:
            return True
    return False


class Provable(Protocol):
    """An engine at the end of a line."""

    name: str
    slots: int
    line: Line

    def write(self, *asked: Any) -> AsyncIterator[Any]: ...

    async def start(self) -> None: ...

    async def works(self) -> bool: ...

    async def close(self) -> None: ...


class Proven:
    """An engine that answers nobody before it has given the answers that it is known by, each time anew when it was
    gone: what comes back under the same address may be another model.

    ``check`` asks it for them, and returns in words what is wrong.
    """

    def __init__(self, inner: Provable, check: Callable[[], Awaitable[str | None]]) -> None:
        self.name = inner.name
        self.slots = inner.slots
        self._inner = inner
        self._check = check
        self._proving = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        inner.line.on_gone = self._unprove
        self._unprove()

    def _unprove(self) -> None:
        self._refusal: Refusal | None = _unproven()
        if self._task is not None:
            self._doubted.set()

    async def start(self) -> None:
        """Begin to prove it, and wait for the first proof; not for long, since it may be away."""
        self._doubted = asyncio.Event()
        self._doubted.set()
        await self._inner.start()
        tried = asyncio.Event()
        self._task = asyncio.create_task(self._keep_proving(tried))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS):
                await tried.wait()

    async def _keep_proving(self, tried: asyncio.Event) -> None:
        wait, said = FIRST_WAIT, ""
        while True:
            await self._doubted.wait()
            why = await self.prove()
            tried.set()
            if why is None:
                wait, said = FIRST_WAIT, ""
                continue
            if why != said:
                log.error("%s is not asked: %s", self._inner.line.wire.upstream.words, why)
            said = why
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)

    async def prove(self) -> str | None:
        """Let it give the answers that it is known by, unless it has. Returns in words what is wrong."""
        async with self._proving:
            if self._refusal is None:
                return None
            self._doubted.clear()
            why = await self._wrong()
            if why is None and not self._doubted.is_set():
                self._refusal = None
                return None
            self._doubted.set()
            return why or "it went away while it was asked"

    async def _wrong(self) -> str | None:
        try:
            await self._inner.works()
            why = await self._check()
        except Refusal as refusal:
            self._refusal = refusal if refusal.status >= 500 else _unproven()
            return refusal.message
        except Exception as error:
            log.error("an upstream cannot be proven: %s", places(error))
            return f"it cannot be asked ({type(error).__name__})"
        if why is not None:
            what = "the server behind this model does not answer as it did when it was deployed"
            self._refusal = Refusal(503, "upstream_differs", what, retry_after=LONGEST_WAIT)
        return why

    async def write(self, *asked: Any) -> AsyncIterator[Any]:
        """Write as the engine does. Raises Refusal where it is not proven."""
        if (why := self._refusal) is not None:
            raise Refusal(why.status, why.code, why.message, retry_after=why.retry_after)
        async with aclosing(self._inner.write(*asked)) as parts:  # type: ignore[type-var]
            async for part in parts:
                yield part

    async def works(self) -> bool:
        return self._refusal is None and await self._inner.works()

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._inner.close()


def _unproven() -> Refusal:
    what = "the server behind this model is asked first for the answers that it is known by"
    return Refusal(503, "not_ready", what, retry_after=2)
