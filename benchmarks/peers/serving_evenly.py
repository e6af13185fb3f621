"""Small questions at an even rate to a server and to the engine below it, in turns: how long each answer took."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import httpx2
import numpy as np

from benchmarks.peers.serving_clients import evenly

#: Turns of each side: what else the machine does falls on both.
TURNS = 4


async def measure(job: dict[str, Any]) -> dict[str, Any]:
    waits: dict[str, list[float]] = {name: [] for name in job["sides"]}
    limits = httpx2.Limits(max_connections=1000, max_keepalive_connections=1000)
    async with httpx2.AsyncClient(limits=limits, timeout=120, trust_env=False) as client:
        for turn in range(TURNS + 1):
            for name, side in job["sides"].items():
                headers = {"authorization": f"Bearer {side['key']}"}

                async def ask(text: str, side: Any = side, headers: Any = headers) -> float:
                    body = {
                        **side["body"],
                        side["field"]: [{"role": "user", "content": text}] if side["wrap"] else text,
                    }
                    answer = await client.post(side["url"], json=body, headers=headers)
                    answer.raise_for_status()
                    return 0.0

                found = await evenly(ask, ["Hello"], job["rate"], job["seconds"] / TURNS)
                if turn:  # the first is for connections to be made
                    waits[name] += found
    return {
        name: {
            "asked": len(found),
            "median_ms": 1000 * float(np.percentile(found, 50)),
            "percentile_99_ms": 1000 * float(np.percentile(found, 99)),
        }
        for name, found in waits.items()
    }


if __name__ == "__main__":
    told = asyncio.run(measure(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
    sys.stdout.write(json.dumps(told) + "\n")
