"""Clients of a server that writes: so many streams at once, each asking one question after the other."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx2
import numpy as np


async def measure(job: dict[str, Any]) -> dict[str, Any]:
    """Seconds for all questions, tokens as the server counts them, and the median wait for a first piece in seconds."""
    headers = {"authorization": f"Bearer {job['key']}"}
    # a connection for each answer: servers close those that lie idle after different times, some amid a request
    limits = httpx2.Limits(max_connections=1000, max_keepalive_connections=0)
    async with httpx2.AsyncClient(headers=headers, limits=limits, timeout=1800, trust_env=False) as client:
        model = job.get("model") or (await client.get(f"{job['url']}/models")).json()["data"][0]["id"]
        await ask(client, job, model, job["questions"][0])
        tokens, texts, firsts = 0, [""] * len(job["questions"]), []
        waiting = iter(range(len(job["questions"])))

        async def go_on() -> None:
            nonlocal tokens
            for at in waiting:
                texts[at], written, first = await ask(client, job, model, job["questions"][at])
                tokens += written
                firsts.append(first)

        began = time.perf_counter()
        await asyncio.gather(*(go_on() for _ in range(job["streams"])))
        seconds = time.perf_counter() - began
    return {"seconds": seconds, "tokens": tokens, "texts": texts, "first_seconds": float(np.median(firsts))}


async def ask(
    client: httpx2.AsyncClient, job: dict[str, Any], model: str, question: Sequence[Any]
) -> tuple[str, int, float]:
    """The answer, its tokens, and the seconds to its first piece."""
    body = {
        "model": model,
        "messages": question,
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0,
        "max_tokens": job["max_tokens"],
    }
    began, first, text, pieces, counted = time.perf_counter(), 0.0, "", 0, 0
    async with client.stream("POST", f"{job['url']}/chat/completions", json=body) as answer:
        if answer.status_code != 200:
            raise RuntimeError((await answer.aread()).decode())
        async for line in answer.aiter_lines():
            if not line.startswith("data: ") or line == "data: [DONE]":
                continue
            told = json.loads(line.removeprefix("data: "))
            if "error" in told:
                raise RuntimeError(line)
            counted = (told.get("usage") or {}).get("completion_tokens") or counted
            piece = (told["choices"][0]["delta"].get("content") or "") if told.get("choices") else ""
            if piece:
                first = first or time.perf_counter() - began
                pieces += 1
                text += piece
    return text, counted or pieces, first


if __name__ == "__main__":
    found = asyncio.run(measure(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
    sys.stdout.write(json.dumps(found) + "\n")
