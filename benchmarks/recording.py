"""What the log of requests adds to each of them: at 50 requests a second, with and without texts."""

from __future__ import annotations

import asyncio
import os
import secrets
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.figure import Figure, at_most
from tunesmith.deployment.exchange import Exchange
from tunesmith.deployment.kept_text import TextMasker
from tunesmith.deployment.tables import open_state
from tunesmith.deployment.traffic import Traffic
from tunesmith.example import Message

RATE = 50  # a second
SECONDS = 20
BAR = 5.0  # milliseconds
ASKED = (
    "My parcel with the blue tent came without its pegs, order 20114. Please write to jo.miller@example.org or call "
    "+44 20 7946 0958, I leave for the coast on Friday and cannot pitch it without them."
)
ANSWER = "I am sorry that the pegs are missing. I have sent a new set to you today; it should be there by Thursday."


def run(overrides: Sequence[str] = ()) -> list[Figure]:
    """Times from the end of an answer to its record's commit, on this machine's disk. ``seconds=N`` shortens it."""
    seconds = next((float(one.removeprefix("seconds=")) for one in overrides if one.startswith("seconds=")), SECONDS)
    found = []
    for words, masker in (("figures alone", None), ("with texts", TextMasker.of({}, frozenset()))):
        took = 1000 * np.array(asyncio.run(_record(masker, seconds)))
        told = f"median {np.median(took):.2f} ms, of {len(took):,} requests at {RATE} a second"
        found.append(at_most(f"recording, {words}, p99", float(np.quantile(took, 0.99)), "ms", BAR, told))
    synced = 1000 * np.array(_sync(200))
    told = f"median {np.median(synced):.2f} ms; 4 KB written and synced: what a record cannot be faster than here"
    return [*found, Figure("the disk alone, p99", float(np.quantile(synced, 0.99)), "ms", note=told)]


def _sync(times: int) -> list[float]:
    took = []
    with tempfile.NamedTemporaryFile() as file:
        for _ in range(times):
            began = time.perf_counter()
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
            took.append(time.perf_counter() - began)
            time.sleep(1 / RATE)
    return took


async def _record(masker: TextMasker | None, seconds: float) -> list[float]:
    took: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        state = open_state(Path(folder))
        log = Traffic(state, masker)

        async def one() -> None:
            exchange = Exchange(f"req-{secrets.token_hex(12)}", "/v1/chat/completions", "key")
            exchange.prompt, exchange.answers = (Message.of("user", ASKED),), [ANSWER]
            exchange.version = "desk@0123"
            exchange.end(200)
            began = time.perf_counter()
            await log.record(exchange)
            took.append(time.perf_counter() - began)

        await one()  # the detectors are read
        took.clear()
        tasks = []
        for _ in range(int(RATE * seconds)):
            tasks.append(asyncio.create_task(one()))
            await asyncio.sleep(1 / RATE)
        await asyncio.gather(*tasks)
        state.close()
    return took
