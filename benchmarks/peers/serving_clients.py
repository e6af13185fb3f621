"""Clients of a server: first so many that ask one text after the other, then requests at half the rate reached."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np


class Connection(asyncio.Protocol):
    """A connection that is kept, with one request at a time.

    The clients share the cores with the server: a general client takes as long for a request as the server does.
    """

    def __init__(self) -> None:
        self._come = b""
        self._answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._come += data
        head, ends, body = self._come.partition(b"\r\n\r\n")
        if not ends:
            return
        [size] = re.findall(rb"content-length: *(\d+)", head.lower())
        if len(body) >= int(size):
            self._come = b""
            self._answer.set_result((head.split(b" ", 2)[1], body))

    def connection_lost(self, error: Exception | None) -> None:
        if not self._answer.done():
            self._answer.set_exception(error or ConnectionResetError("the server hung up"))

    async def ask(self, head: bytes, body: bytes) -> dict[str, Any]:
        """Send one request, and wait for its answer."""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(b"%scontent-length: %d\r\n\r\n%s" % (head, len(body), body))
        status, told = await self._answer
        if status != b"200":
            raise RuntimeError(f"the server answered {status!r}: {told!r}")
        found: dict[str, Any] = json.loads(told)
        return found


async def measure(job: dict[str, Any]) -> dict[str, Any]:
    url = urlsplit(job["url"])
    fields = f"host: {url.netloc}\r\nauthorization: Bearer {job['key']}\r\ncontent-type: application/json\r\n"
    kept: list[Connection] = []

    async def send(line: str, body: bytes) -> dict[str, Any]:
        if kept:
            connection = kept.pop()
        else:
            loop = asyncio.get_running_loop()
            _, connection = await loop.create_connection(Connection, url.hostname, url.port)
        told = await connection.ask(f"{line} HTTP/1.1\r\n{fields}".encode(), body)
        kept.append(connection)
        return told

    model = (await send(f"GET {url.path}/models", b""))["data"][0]["id"]

    async def ask(text: str) -> float:
        body = json.dumps({"model": model, "input": text, "top": 1}).encode()
        told = await send(f"POST {url.path}/classifications", body)
        return float(told["data"][0]["probability"])

    texts = job["texts"]
    await asyncio.gather(*(ask(text) for text in texts[: job["clients"]]))
    rounds = [await at_once(ask, texts, job["clients"]) for _ in range(3)]
    seconds, probabilities = sorted(rounds)[1]
    rate = len(texts) / seconds / 2
    waits = await evenly(ask, texts, rate, job["seconds"])
    median, slow = np.percentile(waits, [50, 99]) * 1000
    return {
        "seconds": seconds,
        "probabilities": probabilities,
        "rate": rate,
        "asked": len(waits),
        "median_ms": median,
        "percentile_99_ms": slow,
    }


async def at_once(ask: Any, texts: list[str], clients: int) -> tuple[float, list[float]]:
    """Seconds for all texts, and what came back in their order."""
    found = [0.0] * len(texts)
    waiting = iter(range(len(texts)))

    async def go_on() -> None:
        for at in waiting:
            found[at] = await ask(texts[at])

    began = time.perf_counter()
    await asyncio.gather(*(go_on() for _ in range(clients)))
    return time.perf_counter() - began, found


async def evenly(ask: Any, texts: list[str], rate: float, seconds: float) -> list[float]:
    """How long each answer took, from when it was due."""
    count = max(1, int(rate * seconds))
    began = time.perf_counter()

    async def one(number: int) -> float:
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        await ask(texts[number % len(texts)])
        return time.perf_counter() - due

    return list(await asyncio.gather(*(one(number) for number in range(count))))


if __name__ == "__main__":
    told = asyncio.run(measure(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
    sys.stdout.write(json.dumps(told) + "\n")
