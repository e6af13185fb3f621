"""The whole server of a project, all of it real but the models: `python -m tests.unit.server.whole_server PROJECT FD`.

It answers on the listening socket that it is handed. What surrounds the models is opened as `tunesmith serve` does;
each version is an engine in a child process, which writes the version's name before what it was asked.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.peers.serving_echo import Engine
from tests.unit.server.double_server import CONTEXT, END, Bytes, version
from tunesmith.deployment.versions import Record
from tunesmith.errors import TunesmithError
from tunesmith.project import Project
from tunesmith.server import llamacpp, opening, rollout
from tunesmith.server.door import Bounds
from tunesmith.server.keys import FILE, Keys
from tunesmith.server.limits import Gate
from tunesmith.server.llamacpp import LlamaCppText
from tunesmith.server.registry import Registry
from tunesmith.server.served import Served, ServedText, Wanted
from tunesmith.server.site import Site
from tunesmith.server.sites import open_site
from tunesmith.server.start import run
from tunesmith.server.version import Version

NAME = "desk"
#: Answers that one engine writes at once, and requests that may wait for it.
SLOTS, WAITING = 4, 64
CHILD = Path(__file__).with_name("child_double.py")


def open_child(beginning: str) -> Engine:
    """As `LlamaCpp.open`: one that ends before it has loaded its model is an error."""
    engine = Engine(str(CHILD), beginning)
    if not engine.address[0]:
        engine.close()
        raise TunesmithError("engine_failed", "llama.cpp did not start")
    return engine


def load(project: Project, site: Site, record: Record, wanted: Wanted) -> Served:
    """In place of `preparing.load`."""
    plain = version(NAME, "text", unknown="hand_off", confidence=0.5)
    one = Version(**{**vars(plain), "id": record.id, "shown": record.shown})
    engine = LlamaCppText(lambda: open_child(f"{record.shown}: "), SLOTS, END, [97], lambda schema: None)  # type: ignore[arg-type, return-value]
    return ServedText(one, engine, Bytes(), Gate(SLOTS, WAITING), CONTEXT, site)


def main() -> None:
    llamacpp.FIRST_WAIT = llamacpp.WELL_SECONDS = 0.0  # engines are started anew at once, and versions tried again soon
    rollout.AGAIN_SECONDS = 0.5
    stand_in: Callable[..., Served] = load
    opening.load = stand_in  # type: ignore[assignment]
    project = Project.open(Path(sys.argv[1]))
    routes, roller = opening.open_routes(project, open_site(project), Wanted())
    listener = socket.socket(fileno=int(sys.argv[2]))
    run(Registry([routes]), Keys(project.store.root / FILE), listener, Bounds(), [roller])


if __name__ == "__main__":
    main()
