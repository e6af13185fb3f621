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
    """What one key has asked for within the last minute: the times of its requests, and the tokens of each second.

    ``running``: requests that run now.
    """

    times: deque[float] = field(default_factory=deque)
    tokens: deque[list[float]] = field(default_factory=deque)
    running: int = 0

    def forget(self, now: float) -> None:
        """Leave out what is more than a minute old."""
        while self.times and self.times[0] <= now - MINUTE:
            self.times.popleft()
        while self.tokens and self.tokens[0][0] <= now - MINUTE:
            self.tokens.popleft()

    @property
    def used(self) -> int:
        """Tokens within the minute."""
        return int(sum(count for _, count in self.tokens))

    def seconds_until(self, tokens: float, now: float) -> float:
        """After how many seconds no more than so many of the tokens will be younger than a minute."""
        left = self.used
        for second, count in self.tokens:
            if left <= tokens:
                break
            left -= int(count)
            after = second + MINUTE - now
        return after if self.used > tokens else 0.0


class Limiter:
    """Counts what each key asks for. ``clock`` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._uses: dict[str, Use] = {}

    def begin(self, key: Key) -> None:
        """Count one request in.

        Raises Refusal ``too_many_requests``, ``too_many_at_once`` or ``too_many_tokens_a_minute``; refused requests
        are not counted.
        """
        use, now = self._use(key)
        limit = key.limits.requests_a_minute
        if limit is not None and len(use.times) >= limit:
            after = use.times[len(use.times) - limit] + MINUTE - now if limit else MINUTE
            raise Refusal(429, "too_many_requests", f"this key may ask {limit:,} times a minute", retry_after=after)
        if use.running >= key.limits.at_once:
            what = f"this key may have {key.limits.at_once:,} requests at once"
            raise Refusal(429, "too_many_at_once", what, retry_after=1)
        self._check_tokens(key, use, now, 1)
        use.running += 1
        if limit is not None:
            use.times.append(now)

    def told(self, key: Key) -> dict[str, str]:
        """The headers that tell what is left of the minute, as OpenAI names them."""
        use, now = self._use(key)
        found: dict[str, str] = {}
        requests, tokens = key.limits.requests_a_minute, key.limits.tokens_a_minute
        if requests is not None:
            reset = use.times[0] + MINUTE - now if use.times else 0.0
            found |= _headers("requests", requests, requests - len(use.times), reset)
        if tokens is not None:
            found |= _headers("tokens", tokens, tokens - use.used, use.seconds_until(0, now))
        return found

    def read(self, key: Key, tokens: int) -> None:
        """Count the tokens of a prompt, before the model sees it.

        Raises Refusal ``too_many_tokens_a_minute``, or ``too_many_tokens`` where a minute never has room for it;
        refused prompts are not counted.
        """
        limit = key.limits.tokens_a_minute
        if limit is not None and tokens >= limit:
            what = f"this key may use {limit:,} tokens a minute, and this prompt alone has {tokens:,}"
            raise Refusal(400, "too_many_tokens", what)
        use, now = self._use(key)
        self._check_tokens(key, use, now, tokens + 1)
        self._count(use, now, tokens)

    def wrote(self, key: Key, tokens: int = 1) -> None:
        """Count tokens of an answer as they are written. An answer that has begun is not cut off."""
        if key.limits.tokens_a_minute is not None:
            self._count(self._uses.setdefault(key.sha256, Use()), self._clock(), tokens)

    def end(self, key: Key) -> None:
        self._uses[key.sha256].running -= 1

    def _use(self, key: Key) -> tuple[Use, float]:
        use, now = self._uses.setdefault(key.sha256, Use()), self._clock()
        use.forget(now)
        return use, now

    def _count(self, use: Use, now: float, tokens: int) -> None:
        if use.tokens and now - use.tokens[-1][0] < 1.0:
            use.tokens[-1][1] += tokens
        else:
            use.tokens.append([now, tokens])

    def _check_tokens(self, key: Key, use: Use, now: float, wanted: int) -> None:
        limit = key.limits.tokens_a_minute
        if limit is not None and use.used + wanted > limit:
            what = f"this key may use {limit:,} tokens a minute, and has used {use.used:,}"
            raise Refusal(429, "too_many_tokens_a_minute", what, retry_after=use.seconds_until(limit - wanted, now))


def _headers(what: str, limit: int, left: int, reset: float) -> dict[str, str]:
    return {
        f"x-ratelimit-limit-{what}": str(limit),
        f"x-ratelimit-remaining-{what}": str(max(0, left)),
        f"x-ratelimit-reset-{what}": f"{reset:.0f}s",
    }


class Gate:
    """``slots`` requests run at a model, at most ``room`` wait, and keys take turns.

    So a key that asks a thousand times keeps nobody else waiting for a thousand answers. Nor does it take all places to
    wait: who finds none takes the last place of the key that has the most ("longest queue drop", Suter et al.,
    "Design Considerations for Supporting TCP with Per-flow Queueing", INFOCOM 1998).
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
        """Wait for a slot and hold it. Raises Refusal ``queue_full`` where too many wait.

        That is at once, or when a place is given to a key that has fewer.
        """
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
            self._make_room(key)
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

    def _make_room(self, key: str) -> None:
        """Send away the last of the key with the most requests that wait. Raises Refusal where that is this key."""
        after = min(60.0, self._seconds * (self.waiting + 1) / self._slots)
        refusal = Refusal(429, "queue_full", f"{self.waiting:,} requests wait already", retry_after=after)
        longest = max(self._waiting, key=lambda name: len(self._waiting[name]), default=None)
        if longest is None or len(self._waiting[longest]) <= len(self._waiting.get(key, ())) + 1:
            raise refusal
        turn = self._waiting[longest].pop()
        if not turn.done():
            turn.set_exception(refusal)

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
