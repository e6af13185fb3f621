"""`kill -9` of the server, or of an engine below it, at any moment under load: nothing that was accepted is lost.

The project's log, feedback, inbox and names are the real ones; clients, a person and an owner are at work all the time.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.recipes.small_project import ROOT
from tests.unit.server.accepted import assert_kept
from tests.unit.server.kill_load import SOON, STABLE, Load, ask_on_and_on
from tests.unit.server.kill_people import deploy_on_and_on, record, settle_on_and_on
from tunesmith import Project
from tunesmith.deployment import rollouts, versions
from tunesmith.deployment.tables import open_state
from tunesmith.deployment.watch import watch
from tunesmith.server.keys import FILE, Keys, Limits

#: Nothing is taken back by itself: an engine that is killed again and again would be.
SETTINGS = """\
version: 1
name: desk
goal: {input: text, output: text, system: Be kind., unknown: hand_off, confidence: 0.5}
base: {model: all-minilm-l6-v2}
collect:
  - {path: rows.jsonl, input: text, output: answer}
serve:
  log: {text: true}
  deploy: {roll_back: false}
"""
CLIENTS = 4
#: Seconds from one kill to the next at most, once an answer came in between.
BETWEEN = 0.5
#: Share of the kills that come while the server starts.
IN_A_START = 0.2


@dataclass
class Served:
    """A project, the socket that its servers listen on one after the other, and the one that runs."""

    project: Path
    listener: socket.socket
    process: subprocess.Popen[bytes] | None = None
    killed: Counter[str] = field(default_factory=Counter)
    starts: int = 0

    def start(self) -> None:
        words = [str(self.project), str(self.listener.fileno())]
        command = [sys.executable, "-m", "tests.unit.server.whole_server", *words]
        self.process = subprocess.Popen(
            command, cwd=ROOT, pass_fds=[self.listener.fileno()], stderr=(self.project / "said").open("ab")
        )
        self.starts += 1

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def engines(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.process.pid).children() if self.process else []
        except psutil.NoSuchProcess:
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


def project_in(folder: Path) -> Project:
    (folder / "tunesmith.yaml").write_text(SETTINGS)
    rows = [{"text": f"where is parcel {number}", "answer": f"on its way {number}"} for number in range(20)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    project = Project.open(folder)
    project.run(to="goal")
    with closing(open_state(project.store.root)) as state:
        first = record(state, 0)
        rollout = state.change(partial(rollouts.ask, kind="deploy", version=first))
        state.change(partial(rollouts.carry_out_now, id=rollout.id))
        state.change(partial(versions.point, name=STABLE, version=first))
    return project


def kill_again_and_again(folder: Path, kills: int, seed: int) -> tuple[Served, Load]:
    rng = random.Random(seed)
    project = project_in(folder)
    root = project.store.root
    key = Keys(root / FILE).make("shop", Limits())
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        served = Served(folder, listener)
        load = Load(root, f"http://127.0.0.1:{listener.getsockname()[1]}", key)
        with closing(open_state(root)) as state:
            load.told.names.now = state.look(versions.aliases)
        served.start()
        load.begin([*[ask_on_and_on] * CLIENTS, settle_on_and_on, deploy_on_and_on], seed)
        try:
            while served.killed.total() < kills:
                kill_one(served, load, rng)
            assert load.wait_for_an_answer(served.alive)
        except BaseException:
            served.kill_server()
            listener.close()  # who waits for an answer is told
            raise
        finally:
            load.end()
        assert_kept(root, load.told)
        served.stop()
    assert_kept(root, load.told)
    assert load.faults == []
    return served, load


def kill_one(served: Served, load: Load, rng: random.Random) -> None:
    """Kill the server or an engine at some moment, and see what is left."""
    if rng.random() < IN_A_START:
        time.sleep(rng.uniform(0, 1.5))
    elif load.wait_for_an_answer(served.alive):
        time.sleep(rng.uniform(0, BETWEEN))
    if served.alive():
        if rng.random() < 0.5:
            served.kill_an_engine(rng)
        else:
            served.kill_server()
    if not served.alive():
        served.start()
    assert_kept(load.folder, load.told)
    assert load.faults == []


def tell(served: Served, load: Load, seconds: float) -> None:
    """Print what was counted; see that what `tunesmith monitor` shows has it all."""
    with closing(open_state(load.folder)) as state:
        shown = watch(state, 0.0, time.time())
    told = load.told
    assert shown.all.requests >= len(told.answers) + len(told.remarks) + len(told.fetched)
    kept = {
        "answers": len(told.answers),
        "feedback": len(told.remarks),
        "tickets": len(told.tickets),
        "settled": len(told.replies),
        "fetched": len(told.fetched),
        "wishes": len(told.names.rollouts),
    }
    print(  # noqa: T201
        f"SIGKILL: {dict(served.killed)} in {seconds:.0f} s, {served.starts} starts of the server; "
        f"accepted and kept: {kept}; "
        f"logged in all: {shown.all.requests:,}; seen by clients: {dict(sorted(load.counts.items()))}"
    )


@pytest.mark.parametrize(
    "kills", [4, pytest.param(110, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])], ids=["few", "hundred"]
)
def test_nothing_that_was_accepted_is_lost_however_server_and_engines_end(tmp_path: Path, kills: int) -> None:
    began = time.monotonic()
    served, load = kill_again_and_again(tmp_path, kills, seed=int(os.environ.get("TUNESMITH_TEST_SEED", kills)))
    tell(served, load, time.monotonic() - began)
    assert load.told.answers
    if kills >= 100:
        assert min(served.killed.values()) >= kills // 4
        worked = {kind for kind in rollouts.MAIN_KINDS[1:] if load.counts[f"{kind} worked"]}
        assert worked == set(rollouts.MAIN_KINDS[1:])
        assert min(map(len, (load.told.remarks, load.told.tickets, load.told.replies, load.told.fetched))) > kills
