"""The seam between the server and what computes: engines that write text, and engines that give labels."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

from tunesmith.engines.upstream_chat import Piece
from tunesmith.example import Message
from tunesmith.generation import Sampling, WrittenToken
from tunesmith.server.schema_checks import SchemaChecks
from tunesmith.tool_calls import Called, Tools, Turn

#: Rows that are scored together at most: what comes meanwhile waits for the next batch.
ROWS_AT_ONCE = 64
#: Rows for which a further thread begins beside those that compute: reading the weights takes as long as two or three
#: rows, and two threads that do it at once slow each other down.
WORTH_A_THREAD = 16
#: Seconds that a row waits for such a batch; and beside a batch of fewer rows than FEW, since little is asked then and
#: threads have time to spare.
LONGEST_WAIT, SHORT_WAIT = 0.02, 0.008
FEW = 8
#: An engine that wrote within so many seconds needs no trial to be known to work.
FRESH_SECONDS = 2.0


class TokenCodec(Protocol):
    """Prompts to token ids and back, as in training."""

    def of_messages(self, messages: Sequence[Message]) -> list[int]: ...

    def of_text(self, text: str) -> list[int]: ...

    def text_of(self, tokens: Sequence[int]) -> str: ...

    def piece(self, token: int) -> str: ...

    def field_confidence(self, tokens: Sequence[int], log_probabilities: Sequence[float]) -> dict[str, float]:
        """Of a JSON object, the probability of each short value at its top."""
        ...

    @property
    def tools(self) -> ToolCodec | None:
        """Conversations with tools; None where the model has no way to be told of them."""
        ...


class CallReader(Protocol):
    """Reads one answer while it is written."""

    def add(self, text: str) -> list[str | Called]:
        """What is settled with this text: pieces of text, and whole calls, in their order."""
        ...

    def end(self) -> list[str | Called]:
        """What was held back, when the answer is over."""
        ...


class ToolCodec(Protocol):
    """Conversations with tools to token ids, and calls out of answers."""

    def of_turns(self, turns: Sequence[Turn], tools: Tools | None) -> list[int]: ...

    def text_of(self, tokens: Sequence[int]) -> str:
        """With what marks calls."""
        ...

    def reader(self, prompt: Sequence[int], tools: Tools) -> CallReader: ...

    def grammar(self, tools: Tools, schema: Mapping[str, Any] | None) -> str | None:
        """What an answer must keep to, as `Sampling.grammar`. Raises InputError ``calls_not_enforceable``."""
        ...


class TextEngine(Protocol):
    """Writes answers to prompts of token ids; ``slots`` of them at once."""

    name: str
    slots: int

    def write(self, prompt: Sequence[int], sampling: Sampling) -> AsyncIterator[WrittenToken]:
        """Write token by token; whoever stops reading early stops the writing."""
        ...

    async def start(self) -> None:
        """Called once, in the event loop, before the first request."""
        ...

    async def works(self) -> bool:
        """Whether a token can be written now: found out by writing one."""
        ...

    async def close(self) -> None: ...


class ChatEngine(Protocol):
    """Answers messages, ``slots`` of them at once, and makes the prompt itself; otherwise as a `TextEngine`."""

    name: str
    slots: int

    def write(self, messages: Sequence[Mapping[str, Any]], asked: Mapping[str, Any]) -> AsyncIterator[Piece]:
        """Write piece by piece; whoever stops reading early stops the writing. ``asked``: OpenAI's fields."""
        ...

    async def start(self) -> None: ...

    async def works(self) -> bool: ...

    async def close(self) -> None: ...


class TorchText:
    """The tuned model in this process, one answer at a time: the exact reference."""

    name = "torch"
    slots = 1

    def __init__(self, writer: Any, probe: Sequence[int]) -> None:
        self._writer = writer
        self._schemas = SchemaChecks(writer.check_schema)
        self._probe = list(probe)
        self._thread = ThreadPoolExecutor(1, "tunesmith-writer")
        self._wrote_at = 0.0

    async def write(self, prompt: Sequence[int], sampling: Sampling) -> AsyncIterator[WrittenToken]:
        if sampling.kept_to is not None:  # beside the thread that writes, which others wait for
            await self._schemas.check(sampling.kept_to)
        loop = asyncio.get_running_loop()
        written: asyncio.Queue[WrittenToken | BaseException | None] = asyncio.Queue()
        stop = threading.Event()

        def tell(what: WrittenToken | BaseException | None) -> None:
            loop.call_soon_threadsafe(written.put_nowait, what)

        def work() -> None:
            try:
                if stop.is_set():
                    return
                for token in self._writer.write(prompt, sampling):
                    tell(token)
                    if stop.is_set():
                        return
                tell(None)
            except BaseException as error:
                tell(error)

        loop.run_in_executor(self._thread, work)
        try:
            while (token := await written.get()) is not None:
                if isinstance(token, BaseException):
                    raise token
                self._wrote_at = time.monotonic()
                yield token
        finally:
            stop.set()

    async def start(self) -> None:
        """The model is loaded already."""
        await self._schemas.warm()

    async def works(self) -> bool:
        if time.monotonic() - self._wrote_at < FRESH_SECONDS:
            return True
        async for _ in self.write(self._probe, Sampling(1)):
            return True
        return False

    async def close(self) -> None:
        self._schemas.close()
        self._thread.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True)
class ScoredRow:
    """Probabilities in the order of the labels, and the unit vector where it was asked for."""

    probabilities: list[float]
    vector: list[float]


@dataclass(frozen=True)
class _Row:
    tokens: list[int]
    vector: bool
    future: asyncio.Future[ScoredRow]
    came_at: float


class LabelEngine:
    """Scores rows that come in one by one together with those that come meanwhile.

    While batches are computed the next gathers; a row waits for others SHORT_WAIT or LONGEST_WAIT. ``threads`` compute
    a batch each, side by side, and each calls ``prepare`` first: threads that shared a batch would wait for each other
    at every product, and all of them for the one whose core the requests take.
    """

    name = "torch"

    def __init__(self, labeller: Any, threads: int = 1, prepare: Callable[[], None] | None = None) -> None:
        self.labeller = labeller
        self._idle = threads
        self._pool = ThreadPoolExecutor(threads, "tunesmith-labels", prepare)
        self._waiting: deque[_Row] = deque()
        self._computing: dict[asyncio.Task[None] | None, int] = {}  # with the rows of each
        self._later: asyncio.TimerHandle | None = None
        self._later_at = 0.0

    async def score(self, rows: Sequence[list[int]], *, vectors: bool = False) -> list[ScoredRow]:
        """Score rows of tokens. Cancelling gives up those that were not begun."""
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[ScoredRow]] = [loop.create_future() for _ in rows]
        now = time.monotonic()
        self._waiting.extend(_Row(row, vectors, future, now) for row, future in zip(rows, futures, strict=True))
        self._feed()
        return [await futures[0]] if len(futures) == 1 else list(await asyncio.gather(*futures))

    def _feed(self) -> None:
        """Give idle threads what waits: all but one of them only batches that are worth it, or have waited long."""
        while self._idle and self._waiting:
            wait = SHORT_WAIT if max(self._computing.values(), default=0) < FEW else LONGEST_WAIT
            left = self._waiting[0].came_at + wait - time.monotonic()
            if self._computing and len(self._waiting) < WORTH_A_THREAD and left > 0:
                self._feed_in(left)
                return
            share = min(len(self._waiting), ROWS_AT_ONCE, max(WORTH_A_THREAD, -(-len(self._waiting) // self._idle)))
            taken = [row for row in (self._waiting.popleft() for _ in range(share)) if not row.future.done()]
            if taken:
                self._idle -= 1
                self._computing[asyncio.create_task(self._compute(taken))] = len(taken)

    def _feed_in(self, seconds: float) -> None:
        at = time.monotonic() + seconds
        if self._later is not None:
            if self._later_at <= at:
                return
            self._later.cancel()
        self._later, self._later_at = asyncio.get_running_loop().call_later(seconds, self._feed_late), at

    def _feed_late(self) -> None:
        self._later = None
        self._feed()

    async def _compute(self, taken: Sequence[_Row]) -> None:
        rows, vectors = [row.tokens for row in taken], any(row.vector for row in taken)
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._pool, self._score, rows, vectors)
        except (Exception, asyncio.CancelledError) as error:
            for row in taken:
                if not row.future.done():
                    row.future.set_exception(error) if isinstance(error, Exception) else row.future.cancel()
        else:
            for row, scored in zip(taken, found, strict=True):
                if not row.future.done():
                    row.future.set_result(scored)
        finally:
            self._idle += 1
            self._computing.pop(asyncio.current_task(), None)
            self._feed()

    def _score(self, rows: list[list[int]], vectors: bool) -> list[ScoredRow]:
        return [ScoredRow(*scored) for scored in self.labeller.score(rows, vectors=vectors)]

    async def start(self) -> None:
        """The model is loaded already."""

    async def works(self) -> bool:
        row = self.labeller.tokens((Message.of("user", "a"),))
        [scored] = await self.score([row])
        return len(scored.probabilities) > 0

    async def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
