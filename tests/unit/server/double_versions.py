"""The server over versions that need no model: `python -m tests.unit.server.double_versions FOLDER [WAIT]`.

Each version says who it is before it echoes, a byte a token. What a version is made of says how it behaves: ``fails``
breaks down at each request, ``wrong`` misses its check, ``breaks`` cannot be loaded, ``dies`` ends the server while it
is loaded, ``slow`` waits so many seconds before each token.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from tests.unit.server.double_server import CONTEXT, END, Bytes, version
from tunesmith.deployment import rollouts, versions
from tunesmith.deployment.deploy_settings import DeploySettings
from tunesmith.deployment.leading import Lead
from tunesmith.deployment.tables import open_state
from tunesmith.deployment.versions import MAIN, Record
from tunesmith.generation import Sampling, WrittenToken
from tunesmith.server.door import Bounds
from tunesmith.server.keys import Keys, Limits
from tunesmith.server.limits import Gate
from tunesmith.server.registry import Registry, Routes
from tunesmith.server.rollout import Roller
from tunesmith.server.served import Served, ServedText
from tunesmith.server.site import Site
from tunesmith.server.start import bind, listen, run
from tunesmith.server.version import Version

NAME = "desk"
SLOTS = 8


class Named:
    """Writes ``SHOWN: `` and the prompt. After it was closed it writes nothing."""

    name = "named"
    slots = SLOTS

    def __init__(self, record: Record) -> None:
        self._record = record
        self._closed = False

    async def write(self, prompt: Sequence[int], sampling: Sampling) -> AsyncIterator[WrittenToken]:
        made_of = self._record.made_of
        if made_of.get("fails"):
            raise RuntimeError("broken")
        for byte in [*f"{self._record.shown}: ".encode(), *prompt][: sampling.max_tokens]:
            await asyncio.sleep(made_of.get("slow", 0.0))
            if self._closed:
                raise RuntimeError("this engine was closed while it answered")
            yield WrittenToken(byte, -0.1)
        yield WrittenToken(END, -0.1, is_end=True)

    async def start(self) -> None:
        pass

    async def works(self) -> bool:
        return not self._closed

    async def close(self) -> None:
        self._closed = True


class Made:
    """Makes the versions that the state names."""

    def __init__(self, site: Site, seconds: float) -> None:
        self._site = site
        self._seconds = seconds

    def load(self, record: Record, tell: Callable[[str], None]) -> Served:
        tell("loading")
        time.sleep(self._seconds)
        if record.made_of.get("breaks"):
            raise RuntimeError("broken")
        if record.made_of.get("dies"):
            os.kill(os.getpid(), signal.SIGKILL)
        plain: Version = version(NAME, "text")
        one = Version(**{**vars(plain), "id": record.id, "shown": record.shown})
        return ServedText(one, Named(record), Bytes(), Gate(SLOTS, 64), CONTEXT, self._site)

    async def check(self, served: Served, record: Record, tell: Callable[[str], None]) -> str | None:
        tell("checking the answer to row 1 of 1")
        return "1 of 1 answers are not those of its certificate: rows a1" if record.made_of.get("wrong") else None


def main() -> None:
    folder, seconds = Path(sys.argv[1]), float(sys.argv[2])
    settings = DeploySettings(**json.loads(sys.argv[3]))
    state = open_state(folder)
    keys = Keys(folder / "keys.json")
    known = folder / "secret"
    if not known.exists():
        known.write_text(keys.make("first", Limits()))
    site = Site(NAME, state)
    lead = Lead(state.path.parent)
    if lead.take():
        state.change(rollouts.resume)
    record = state.look(lambda one: versions.get(one, versions.aliases(one)[MAIN]))
    made = Made(site, seconds)
    served = made.load(record, lambda words: None)
    roller = Roller(NAME, state, settings, made, lead, {record.id: served})
    listener = bind("127.0.0.1", 0)
    listen(listener)
    sys.stdout.write(json.dumps({"port": listener.getsockname()[1], "key": known.read_text()}) + "\n")
    sys.stdout.flush()
    run(Registry([Routes(served)]), keys, listener, Bounds(), [roller])


if __name__ == "__main__":
    main()
