"""Much more is asked than can be answered: memory stays bounded, refusals are right, and no key is starved."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path

import httpx2
import psutil
import pytest

from tests.unit.server.conftest import Running, running
from tunesmith.server.keys import Limits

SLOTS, WAITING = 2, 8
#: Clients of the key that asks too much: more than twice what runs and waits.
LOUD = 3 * (SLOTS + WAITING)
MEGABYTES = 30
#: Seconds in which a key that asks for one answer at a time has it, on a machine that does much else.
SOON = 30.0


async def ask(client: httpx2.AsyncClient, key: str, stream: bool) -> httpx2.Response:
    body = {"model": "echo", "messages": [{"role": "user", "content": "0123456789"}], "stream": stream}
    return await client.post("/v1/chat/completions", json=body, headers={"authorization": f"Bearer {key}"})


async def overload(server: Running, seconds: float) -> tuple[Counter[str], Counter[str], list[float], list[float]]:
    """What the loud and the quiet key got, how long the quiet one waited, and the server's memory in megabytes."""
    keys = {name: server.keys.make(name, Limits(at_once=1000)) for name in ("loud", "quiet")}
    process = psutil.Process(server.process.pid)
    loud: Counter[str] = Counter()
    quiet: Counter[str] = Counter()
    waits: list[float] = []
    memory: list[float] = []
    end = time.monotonic() + seconds
    limits = httpx2.Limits(max_connections=200, max_keepalive_connections=200)
    async with httpx2.AsyncClient(base_url=server.url, limits=limits, timeout=2 * SOON, trust_env=False) as client:

        async def shout(number: int) -> None:
            while time.monotonic() < end:
                answer = await ask(client, keys["loud"], stream=number % 2 == 0)
                loud[answer.json()["error"]["code"] if answer.status_code != 200 else "answered"] += 1
                if answer.status_code == 429:
                    assert 1 <= int(answer.headers["retry-after"]) <= 60
                    await asyncio.sleep(0.05)  # far sooner than it was told

        async def whisper() -> None:
            while time.monotonic() < end:
                began = time.monotonic()
                answer = await ask(client, keys["quiet"], stream=False)
                quiet[str(answer.status_code)] += 1
                waits.append(time.monotonic() - began)
                await asyncio.sleep(0.05)

        async def weigh() -> None:
            while time.monotonic() < end:
                memory.append(process.memory_info().rss / 1e6)
                await asyncio.sleep(0.1)

        await asyncio.gather(*(shout(number) for number in range(LOUD)), whisper(), weigh())
    return loud, quiet, waits, memory


def look(folder: Path, seconds: float) -> None:
    with running(folder, waiting=WAITING, pause=0.002, keeps=True) as server:
        loud, quiet, waits, memory = asyncio.run(overload(server, seconds))
        assert set(loud) == {"answered", "queue_full"}
        assert min(loud.values()) > 0
        assert set(quiet) == {"200"}  # never refused for what another key asks
        assert max(waits) < SOON
        assert sum(waits) / len(waits) < 0.5 * SOON
        settled = memory[len(memory) // 4 :]
        assert max(settled) - settled[0] < MEGABYTES, settled[:: max(1, len(settled) // 20)]


def test_more_than_twice_the_capacity_starves_no_key_and_takes_no_memory(tmp_path: Path) -> None:
    look(tmp_path, 4.0)


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_ten_minutes_of_it_starve_no_key_and_take_no_memory(tmp_path: Path) -> None:
    look(tmp_path, 600.0)
