"""Answers by llama.cpp, in a child process that is watched: one that crashed or hangs is ended and started anew."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import orjson
import psutil

from tunesmith.engines.llamacpp import LlamaCpp
from tunesmith.generation import Sampling, WrittenToken
from tunesmith.server.child_requests import BrokenAnswer, ChildServer
from tunesmith.server.refusal import Refusal
from tunesmith.server.schema_checks import SchemaChecks

#: Seconds between two looks at the child, and in which it must answer one.
LOOK_SECONDS, ANSWER_SECONDS = 0.25, 1.25
#: A child that does not answer but computes may be busy; for so long it is let be.
BUSY_SECONDS = 30.0
#: Seconds without a token after which an answer is given up: a long prompt takes long to read.
TOKEN_SECONDS = 600.0
#: Waits before a start, doubled each time it fails or does not last.
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
#: A child that lived so long was well, so the next one is started without a wait.
WELL_SECONDS = 60.0
#: White space as in the answers that were trained on.
LAYOUT = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}

#: What stands for the probability of a token that is not told.
_CERTAIN: dict[str, Any] = {"logprob": 0.0, "top_logprobs": []}

log = logging.getLogger("tunesmith.server")


@dataclass
class _Child:
    """A running engine, with a client for it."""

    engine: LlamaCpp
    server: ChildServer
    began: float
    seconds_computed: float = 0.0
    silent_since: float | None = None


class LlamaCppText:
    """The trained model in the form that llama.cpp reads. ``start`` loads it; ``end`` is the id of the end token.

    ``open_engine`` starts a child and waits until it has loaded the model. ``spelled`` gives so many tokens that spell
    a text, the last of them known: those of a character that has several the engine does not tell one by one.
    """

    name = "llamacpp"

    def __init__(
        self,
        open_engine: Callable[[], LlamaCpp],
        slots: int,
        end: int,
        probe: Sequence[int],
        check_schema: Any,
        spelled: Callable[[str, int, int], Sequence[int]] = lambda text, last, count: (last,),
    ) -> None:
        self._spelled = spelled
        self.slots = slots
        self._open = open_engine
        self._end = end
        self._probe = list(probe)
        self._schemas = SchemaChecks(check_schema)
        self._child: _Child | None = None
        self._watching: asyncio.Task[None] | None = None
        self._wrote_at = 0.0
        self.starts = 0

    @property
    def pid(self) -> int | None:
        """Of the child that runs now."""
        return self._child.engine.pid if self._child else None

    async def start(self) -> None:
        """Start the child, and watch it from now on."""
        await asyncio.gather(self._open_child(), self._schemas.warm())
        self._watching = asyncio.create_task(self._watch())

    async def _open_child(self) -> None:
        engine = await asyncio.to_thread(self._open)
        url, key = engine.address
        self._child = _Child(engine, ChildServer(url, key), time.monotonic())
        self.starts += 1

    async def _watch(self) -> None:
        wait = FIRST_WAIT
        while True:
            child = self._child
            if child is not None:
                await asyncio.sleep(LOOK_SECONDS)
                why = await self._trouble(child)
                if why is None:
                    continue
                log.error("llama.cpp %s; it is started anew", why)
                await self._end_child(child)
                wait = FIRST_WAIT if time.monotonic() - child.began > WELL_SECONDS else min(2 * wait, LONGEST_WAIT)
            await asyncio.sleep(wait)
            try:
                await self._open_child()
            except Exception as error:
                log.error("llama.cpp does not start: %s", type(error).__name__)
                wait = min(2 * wait, LONGEST_WAIT)

    async def _trouble(self, child: _Child) -> str | None:
        """What is wrong with the child, None where it is well.

        On a machine with too much to do this process is slow too, and so is its clock here: a look takes as many of
        its own turns as it would otherwise.
        """
        if not child.engine.alive:
            return "has ended"
        if time.monotonic() - self._wrote_at < LOOK_SECONDS:  # it has just told that it is well
            child.silent_since = None
            return None
        asking = asyncio.ensure_future(child.server.status("/health"))
        asking.add_done_callback(lambda one: one.cancelled() or one.exception())  # nobody may be left to be told
        for _ in range(int(ANSWER_SECONDS / 0.05)):
            if asking.done() or not child.engine.alive:
                break
            await asyncio.sleep(0.05)
        if not child.engine.alive:
            asking.cancel()
            return "has ended"
        if asking.done() and not asking.cancelled() and asking.exception() is None and asking.result() == 200:
            child.silent_since = None
            return None
        asking.cancel()
        now = time.monotonic()
        child.silent_since = child.silent_since or now
        computed = _seconds_computed(child.engine.pid)
        busy, child.seconds_computed = computed > child.seconds_computed + 0.01, computed
        if busy and now - child.silent_since < BUSY_SECONDS:
            return None
        return "does not answer"

    async def _end_child(self, child: _Child) -> None:
        """Kill it: answers that it was writing end with an error at once."""
        self._child = None
        child.engine.kill()
        with contextlib.suppress(Exception):
            await asyncio.to_thread(child.engine.close)

    async def write(self, prompt: Sequence[int], sampling: Sampling) -> AsyncIterator[WrittenToken]:
        if sampling.kept_to is not None:  # the engine lets one that it cannot read pass in silence
            await self._schemas.check(sampling.kept_to)
        child = self._child
        if child is None:
            raise _down()
        ended, seen = False, 0
        try:
            asked = json.dumps(self._asked(prompt, sampling)).encode()  # half surrogate pairs are no error to it
            async with aclosing(child.server.events("/completion", asked, TOKEN_SECONDS)) as events:
                async for event in events:
                    told = orjson.loads(event)
                    self._wrote_at = time.monotonic()
                    written = int(told.get("tokens_predicted", 0))
                    for token in self._tokens(told, written - seen):
                        ended = ended or token.is_end
                        yield token
                    seen = written
                    if told.get("stop"):
                        if told.get("stop_type") == "eos" and not ended:
                            yield WrittenToken(self._end, 0.0, is_end=True)
                        return
        except (BrokenAnswer, OSError, ValueError, AttributeError) as error:
            raise _down() from error  # the last is what uvloop makes of a connection that ends as it begins
        raise _down()

    def _asked(self, prompt: Sequence[int], sampling: Sampling) -> dict[str, Any]:
        greedy = {"samplers": ["top_k"], "top_k": 1, "temperature": 0}
        drawn = {
            "samplers": ["temperature", "top_p"],
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "min_keep": 1,
        }
        return {
            "prompt": list(prompt),
            "n_predict": sampling.max_tokens,
            "stream": True,
            "return_tokens": True,
            "cache_prompt": True,
            "n_probs": max(1, sampling.top),
            **(greedy if sampling.temperature == 0 else drawn),
            **({} if sampling.seed is None else {"seed": sampling.seed % 2**32}),
            **({} if sampling.kept_to is None else {"grammar": _grammar(sampling.kept_to)}),
        }

    def _tokens(self, told: dict[str, Any], count: int) -> list[WrittenToken]:
        """The tokens of one event, which are ``count``: nothing is told before the last byte of a character, and then
        its last token alone, so of the earlier ones no probability is known."""
        ids = list(map(int, told.get("tokens") or ()))
        known: list[dict[str, Any]] = told.get("completion_probabilities") or []
        if ids and count > len(ids):
            ids = [*self._spelled(told["content"], ids[-1], count)]
        known = [_CERTAIN] * (len(ids) - len(known)) + known
        return [self._token(id, probable) for id, probable in zip(ids, known, strict=False)]

    def _token(self, id: int, probable: dict[str, Any]) -> WrittenToken:
        top = tuple((one["id"], float(one["logprob"])) for one in probable["top_logprobs"])
        return WrittenToken(id, float(probable["logprob"]), top, id == self._end)

    async def works(self) -> bool:
        if self._child is None:
            return False
        if time.monotonic() - self._wrote_at < 2.0:
            return True
        async for _ in self.write(self._probe, Sampling(1)):
            return True
        return False

    async def close(self) -> None:
        self._schemas.close()
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching
        if self._child is not None:
            await self._end_child(self._child)


def _grammar(kept_to: Mapping[str, Any] | str) -> str:
    """A grammar for llguidance, which is built into the engine; of a schema with the layout of white space that was
    trained."""
    lark = kept_to if isinstance(kept_to, str) else f"start: %json {json.dumps({'x-guidance': LAYOUT, **kept_to})}"
    return f"%llguidance {{}}\n{lark}"


def _seconds_computed(pid: int) -> float:
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


def _down() -> Refusal:
    return Refusal(503, "engine_down", "the engine broke down and is being started anew", retry_after=2)
