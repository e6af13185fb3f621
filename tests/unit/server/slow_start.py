"""A server that has started when a line comes on its standard input: `python -m tests.unit.server.slow_start FOLDER`.

It writes its port, and "ready" when `run` says so.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tunesmith.server.door import Bounds
from tunesmith.server.keys import Keys
from tunesmith.server.registry import Registry
from tunesmith.server.start import bind, listen, run


class Slow:
    async def start(self, registry: Registry) -> None:
        await asyncio.to_thread(sys.stdin.readline)

    async def close(self) -> None:
        pass


def say(words: object) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    listener = bind("127.0.0.1", 0)
    listen(listener)
    say(listener.getsockname()[1])
    keys = Keys(Path(sys.argv[1]) / "keys.json")
    run(Registry([]), keys, listener, Bounds(), [Slow()], lambda: say("ready"))
