"""Much more is asked than can be answered: memory stays bounded, refusals are right, and no key is starved."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median

import httpx2
import psutil
import pytest
from numpy import polyfit

from tests.unit.server.conftest import Running, running
from tunesmith.deployment.state import FILE
from tunesmith.server.keys import Limits

SLOTS, WAITING = 2, 8
#: Clients of each key. The loud one asks more than twice what runs and waits; the busy one has always something to
#: ask, and never more than half of the places; the quiet one asks for one answer at a time.
CLIENTS = {"loud": 3 * (SLOTS + WAITING), "busy": 3, "quiet": 1}
#: Seconds that a client waits after it was refused: far less than it is told.
TOO_SOON = 0.05
MEGABYTES = 30
#: Seconds in which a key that asks for one answer at a time has it, on a machine that does much else.
SOON = 30.0


@dataclass
class Seen:
    """What clients were told: how often each key what status and code. ``memory``: seconds, the server's megabytes."""

    told: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    waits: dict[str, list[float]] = field(default_factory=lambda: {key: [] for key in CLIENTS})
    retry_after: Counter[int] = field(default_factory=Counter)
    memory: list[tuple[float, float]] = field(default_factory=list)

    def answered(self, key: str) -> int:
        return self.told[key, 200, "answered"]

    def settled(self) -> list[tuple[float, float]]:
        """The memory when everything had been used once."""
        return self.memory[len(self.memory) // 4 :]

    def words(self, seconds: float) -> str:
        found = self.settled()
        ends = max(1, len(found) // 20)
        first, last = (fmean(size for _, size in part) for part in (found[:ends], found[-ends:]))
        slope = 60 * polyfit(*zip(*found, strict=True), 1)[0]
        waits = {key: (median(found), max(found)) for key, found in self.waits.items()}
        return (
            f"{self.told.total():,} requests in {seconds:.0f} s, {self.capacity_asked():.1f} times the capacity; "
            f"{ {' '.join(map(str, told)): count for told, count in sorted(self.told.items())} }; "
            f"Retry-After {dict(sorted(self.retry_after.items()))}; answers after (median, longest) "
            f"{ {key: f'{one:.3f} s, {most:.3f} s' for key, (one, most) in waits.items()} }; "
            f"memory {first:.1f} MB at first, {last:.1f} MB at last, {slope:+.3f} MB a minute"
        )

    def capacity_asked(self) -> float:
        return self.told.total() / sum(map(self.answered, CLIENTS))


async def overload(server: Running, seconds: float) -> Seen:
    seen = Seen()
    process = psutil.Process(server.process.pid)
    began = time.monotonic()
    limits = httpx2.Limits(max_connections=200, max_keepalive_connections=200)
    async with httpx2.AsyncClient(base_url=server.url, limits=limits, timeout=2 * SOON, trust_env=False) as client:

        async def ask(name: str, key: str, stream: bool) -> None:
            body = {"model": "echo", "messages": [{"role": "user", "content": "0123456789"}], "stream": stream}
            headers = {"authorization": f"Bearer {key}"}
            while time.monotonic() < began + seconds:
                asked = time.monotonic()
                answer = await client.post("/v1/chat/completions", json=body, headers=headers)
                code = answer.json()["error"]["code"] if answer.status_code != 200 else "answered"
                seen.told[name, answer.status_code, code] += 1
                if answer.status_code == 200:
                    assert "[DONE]" in answer.text if stream else answer.json()["choices"]
                    seen.waits[name].append(time.monotonic() - asked)
                else:
                    seen.retry_after[int(answer.headers.get("retry-after", 0))] += 1
                if answer.status_code != 200 or name == "quiet":
                    await asyncio.sleep(TOO_SOON)

        async def weigh() -> None:
            while time.monotonic() < began + seconds:
                seen.memory.append((time.monotonic() - began, process.memory_info().rss / 1e6))
                await asyncio.sleep(0.1)

        keys = {name: server.keys.make(name, Limits(at_once=1000)) for name in CLIENTS}
        clients = [(name, number) for name, count in CLIENTS.items() for number in range(count)]
        await asyncio.gather(*(ask(name, keys[name], number % 2 == 0) for name, number in clients), weigh())
    return seen


def look(folder: Path, seconds: float) -> None:
    with running(folder, waiting=WAITING, pause=0.002, keeps=True, patient=True) as server:
        seen = asyncio.run(overload(server, seconds))
    print(seen.words(seconds))  # noqa: T201
    assert seen.capacity_asked() > 2
    assert {(status, code) for _, status, code in seen.told} == {(200, "answered"), (429, "queue_full")}
    assert {key for key, status, _ in seen.told if status == 429} == {"loud"}  # none for what another key asks
    assert 1 <= min(seen.retry_after) <= max(seen.retry_after) <= 60
    assert max(seen.waits["quiet"]) < SOON
    assert fmean(seen.waits["quiet"]) < 0.5 * SOON
    # they take turns: in the order in which they come it would get a tenth; how soon it asks again is the machine's
    assert seen.answered("busy") > 0.2 * seen.answered("loud")
    sizes = [size for _, size in seen.settled()]
    assert max(sizes) - sizes[0] < MEGABYTES, sizes[:: max(1, len(sizes) // 20)]
    assert logged(folder) == {(key, status): count for (key, status, _), count in seen.told.items()}


def logged(folder: Path) -> dict[tuple[str, int], int]:
    """How many requests of each key ended how, by the log."""
    with closing(sqlite3.connect(folder / FILE)) as database:
        rows = database.execute("SELECT key, status, COUNT(*) FROM traffic GROUP BY key, status")
        return {(key, status): count for key, status, count in rows}


def test_more_than_twice_the_capacity_starves_no_key_and_takes_no_memory(tmp_path: Path) -> None:
    look(tmp_path, 4.0)


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_ten_minutes_of_it_starve_no_key_and_take_no_memory(tmp_path: Path) -> None:
    look(tmp_path, 600.0)
