"""`kill -9` of a server, or of an engine below it, again and again, and a look at what is left each time."""

from __future__ import annotations

import random
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.recipes.small_project import ROOT
from tests.unit.server.accepted import assert_kept
from tests.unit.server.kill_load import SOON, Load, ask_on_and_on
from tests.unit.server.kill_people import deploy_on_and_on, settle_on_and_on
from tunesmith.deployment import versions
from tunesmith.deployment.tables import open_state
from tunesmith.deployment.watch import watch

CLIENTS = 4
#: Seconds from one kill to the next at most, once an answer came in between.
BETWEEN = 0.5
#: Share of the kills that come while the server starts, and within how many seconds.
IN_A_START, START_SECONDS = 0.2, 1.5


@dataclass
class Killed:
    """A server that is started by ``command``, as often as it is ended. What it says is in ``folder/said``.

    ``listener`` is handed to each, and closed at the end.
    """

    folder: Path
    command: Sequence[str]
    listener: socket.socket | None = None
    environment: dict[str, str] | None = None
    process: subprocess.Popen[bytes] | None = None
    killed: Counter[str] = field(default_factory=Counter)
    starts: int = 0

    def start(self) -> None:
        descriptors = [self.listener.fileno()] if self.listener else []
        with (self.folder / "said").open("ab") as said:
            self.process = subprocess.Popen(
                self.command, cwd=ROOT, pass_fds=descriptors, env=self.environment, stdout=said, stderr=said
            )
        self.starts += 1

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def engines(self) -> list[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(self.process.pid).children() if self.process else []
        return []

    def kill_server(self) -> None:
        """No engine outlives it."""
        assert self.process is not None
        engines = self.engines()
        self.process.kill()
        self.process.wait(SOON)
        self.killed["server"] += 1
        assert psutil.wait_procs(engines, SOON)[1] == []

    def kill_an_engine(self, rng: random.Random) -> None:
        if engines := self.engines():
            with suppress(psutil.NoSuchProcess):  # its version was just closed
                rng.choice(engines).kill()
                self.killed["engine"] += 1

    def stop(self) -> None:
        """As systemd does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(SOON) == 0


def kill_again_and_again(served: Killed, load: Load, kills: int, seed: int) -> None:
    """Nothing that the users of a server were told is lost, and they are told nothing wrong."""
    began = time.monotonic()
    rng = random.Random(seed)
    with closing(open_state(load.folder)) as state:
        load.told.names.now = state.look(versions.aliases)
    served.start()
    load.begin([*[ask_on_and_on] * CLIENTS, settle_on_and_on, deploy_on_and_on], seed)
    try:
        while served.killed.total() < kills:
            _kill(served, load, rng)
        assert load.wait_for_an_answer(served.alive)
        load.end()
        assert_kept(load.folder, load.told)
        served.stop()
    finally:
        if served.alive():
            served.kill_server()
        if served.listener:
            served.listener.close()  # who still waits for an answer is told
        load.end()
    assert_kept(load.folder, load.told)
    assert load.faults == []
    print(words(served, load, time.monotonic() - began))  # noqa: T201


def _kill(served: Killed, load: Load, rng: random.Random) -> None:
    if rng.random() < IN_A_START:
        time.sleep(rng.uniform(0, START_SECONDS))
    elif load.wait_for_an_answer(served.alive):
        time.sleep(rng.uniform(0, BETWEEN))
    if served.alive():
        if rng.random() < 0.5:
            served.kill_an_engine(rng)
        else:
            served.kill_server()
    if not served.alive():  # or it ended by itself: its engine was killed while it started
        served.start()
    assert_kept(load.folder, load.told)
    assert load.faults == []


def words(served: Killed, load: Load, seconds: float) -> str:
    """What was counted. All of it is in what `tunesmith monitor` shows."""
    told = load.told
    with closing(open_state(load.folder)) as state:
        logged = watch(state, 0.0, time.time()).all.requests
    assert logged >= len(told.answers) + len(told.remarks) + len(told.fetched)
    kept = {
        "answers": len(told.answers),
        "feedback": len(told.remarks),
        "tickets": len(told.tickets),
        "settled": len(told.replies),
        "fetched": len(told.fetched),
        "wishes": len(told.names.rollouts),
    }
    return (
        f"SIGKILL: {dict(served.killed)} in {seconds:.0f} s, {served.starts} starts of the server; "
        f"accepted and kept: {kept}; logged in all: {logged:,}; users saw: {dict(sorted(load.counts.items()))}"
    )
