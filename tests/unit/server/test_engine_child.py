"""An engine in a child process: what it writes, and what happens when it crashes or hangs."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.peers.serving_echo import Engine
from tunesmith.errors import InputError
from tunesmith.generation import Sampling
from tunesmith.server.llamacpp import LlamaCppText
from tunesmith.server.refusal import Refusal

END = 99
HANGS = [5, 0]


def child() -> Engine:
    return Engine(str(Path(__file__).with_name("child_double.py")))


def check(schema: Any) -> None:
    if schema.get("type") == "nonsense":
        raise InputError("schema_not_enforceable", "no")


def with_engine(use: Callable[[LlamaCppText], Awaitable[Any]], start: Any = child) -> Any:
    async def run() -> Any:
        engine = LlamaCppText(start, 2, END, [7], check)
        await engine.start()
        try:
            return await use(engine)
        finally:
            await engine.close()

    return asyncio.run(run())


async def ids(engine: LlamaCppText, prompt: list[int], sampling: Sampling) -> list[int]:
    return [token.id async for token in engine.write(prompt, sampling)]


def test_tokens_come_with_their_probabilities_and_the_end_is_known() -> None:
    async def use(engine: LlamaCppText) -> Any:
        assert await engine.works()
        return [token async for token in engine.write([5, 6, END], Sampling(10, top=2))]

    written = with_engine(use)
    assert [(token.id, token.log_probability, token.is_end) for token in written] == [
        (5, -0.5, False),
        (6, -0.5, False),
        (END, -0.5, True),
    ]
    assert written[0].top == ((5, -0.5), (6, -0.5))


def test_a_schema_that_the_engine_would_ignore_is_refused_before() -> None:
    async def use(engine: LlamaCppText) -> None:
        await ids(engine, [5], Sampling(1, schema={"type": "nonsense"}))

    with pytest.raises(InputError, match="schema_not_enforceable"):
        with_engine(use)


@pytest.mark.parametrize("trouble", [signal.SIGKILL, signal.SIGSTOP])
def test_a_child_that_crashed_or_hangs_is_noticed_and_started_anew(trouble: signal.Signals) -> None:
    async def use(engine: LlamaCppText) -> tuple[Refusal, float, list[int]]:
        before = engine.pid
        written = engine.write(HANGS, Sampling(9))
        assert (await anext(written)).id == HANGS[0]
        assert before is not None
        os.kill(before, trouble)
        began = time.monotonic()
        with pytest.raises(Refusal) as refused:
            await anext(written)
        noticed = time.monotonic() - began
        async with asyncio.timeout(60):
            while engine.pid in (before, None):
                await asyncio.sleep(0.05)
        return refused.value, noticed, await ids(engine, [5, 6], Sampling(2))

    refused, noticed, after = with_engine(use)
    assert (refused.status, refused.code, refused.headers["retry-after"]) == (503, "engine_down", "2")
    assert after == [5, 6]
    assert noticed < 10  # two seconds on a machine that has the time


def test_while_there_is_no_engine_requests_are_refused_and_starts_wait_longer_and_longer() -> None:
    began: list[float] = []

    def start() -> Engine:
        began.append(time.monotonic())
        if len(began) in (2, 3):
            raise RuntimeError("no memory")
        return child()

    async def use(engine: LlamaCppText) -> str:
        assert engine.pid is not None
        os.kill(engine.pid, signal.SIGKILL)
        async with asyncio.timeout(60):
            while engine.pid is not None:
                await asyncio.sleep(0.01)
            with pytest.raises(Refusal) as refused:
                await ids(engine, [5], Sampling(1))
            assert not await engine.works()
            while engine.pid is None:
                await asyncio.sleep(0.05)
        return refused.value.code

    assert with_engine(use, start) == "engine_down"
    waits = [after - before for before, after in itertools.pairwise(began[1:])]
    assert len(began) == 4
    assert waits[1] > 1.5 * waits[0] > 1.0
