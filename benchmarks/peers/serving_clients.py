"""Clients of a server: first so many that ask one text after the other, then requests at half the rate reached."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import httpx2
import numpy as np


async def measure(job: dict[str, Any]) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {job['key']}"}
    limits = httpx2.Limits(max_connections=1000, max_keepalive_connections=1000)
    async with httpx2.AsyncClient(headers=headers, limits=limits, timeout=120, trust_env=False) as client:
        models = await client.get(f"{job['url']}/models")
        model = models.json()["data"][0]["id"]

        async def ask(text: str) -> float:
            body = {"model": model, "input": text, "top": 1}
            answer = await client.post(f"{job['url']}/classifications", json=body)
            answer.raise_for_status()
            return float(answer.json()["data"][0]["probability"])

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
