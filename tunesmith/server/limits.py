"""What a key may ask for in a minute and at once, and whose turn it is at a model."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tunesmith.server.keys import Key
from tunesmith.server.refusal import Refusal

MINUTE = 60.0


@dataclass
class Use:
    """What one key has asked for: the times of its requests within the last minute, and how many run now."""

    times: deque[float] = field(default_factory=deque)
    running: int = 0


class Limiter:
    """Counts what each key asks for. ``clock`` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._uses: dict[str, Use] = {}

    def begin(self, key: Key) -> dict[str, str]:
        """Count one request in, and return the headers that tell what is left.

        Raises Refusal ``too_many_requests`` or ``too_many_at_once``; refused requests are not counted.
        """
        use = self._uses.setdefault(key.sha256, Use())
        now = self._clock()
        while use.times and use.times[0] <= now - MINUTE:
            use.times.popleft()
        limit = key.limits.requests_a_minute
        if limit is not None and len(use.times) >= limit:
            after = use.times[len(use.times) - limit] + MINUTE - now if limit else MINUTE
            raise Refusal(429, "too_many_requests", f"this key may ask {limit:,} times a minute", retry_after=after)
        if use.running >= key.limits.at_once:
            what = f"this key may have {key.limits.at_once:,} requests at once"
            raise Refusal(429, "too_many_at_once", what, retry_after=1)
        use.running += 1
        if limit is None:
            return {}
        use.times.append(now)
        return {
            "x-ratelimit-limit-requests": str(limit),
            "x-ratelimit-remaining-requests": str(limit - len(use.times)),
            "x-ratelimit-reset-requests": f"{use.times[0] + MINUTE - now:.0f}s",
        }

    def end(self, key: Key) -> None:
        self._uses[key.sha256].running -= 1


class Gate:
    """``slots`` requests run at a model, at most ``room`` wait, and keys take turns.

    So a key that asks a thousand times keeps nobody else waiting for a thousand answers.
    """

    def __init__(self, slots: int, room: int) -> None:
        self._free = slots
        self._slots = slots
        self._room = room
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._seconds = 1.0  # how long a request took lately

    @property
    def waiting(self) -> int:
        return sum(map(len, self._waiting.values()))

    @property
    def idle(self) -> bool:
        """Whether nobody is answered, and nobody waits."""
        return self._free == self._slots and not self._waiting

    @asynccontextmanager
    async def turn(self, key: str) -> AsyncIterator[None]:
        """Wait for a slot and hold it. Raises Refusal ``queue_full`` at once where too many wait already."""
        await self._enter(key)
        began = time.monotonic()
        try:
            yield
        finally:
            self._seconds += 0.2 * (time.monotonic() - began - self._seconds)
            self._leave()

    async def _enter(self, key: str) -> None:
        if self._free and not self._waiting:
            self._free -= 1
            return
        if self.waiting >= self._room:
            after = min(60.0, self._seconds * (self.waiting + 1) / self._slots)
            raise Refusal(429, "queue_full", f"{self.waiting:,} requests wait already", retry_after=after)
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave()  # it was this one's turn just now
            else:
                self._forget(key, turn)
            raise

    def _forget(self, key: str, turn: asyncio.Future[None]) -> None:
        line = self._waiting.get(key)
        if line is not None and turn in line:
            line.remove(turn)
            if not line:
                del self._waiting[key]

    def _leave(self) -> None:
        """Give the slot to the key that has waited longest for a turn."""
        while self._waiting:
            key, line = self._waiting.popitem(last=False)
            turn = line.popleft()
            if line:
                self._waiting[key] = line  # behind the others
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
