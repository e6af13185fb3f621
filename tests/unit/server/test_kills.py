"""`kill -9` of the server, or of an engine below it, at any moment under load: nothing that was accepted is lost.

The project's log, feedback, inbox and names are the real ones; clients, a person and an owner are at work all the time.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from tests.unit.server.kill_load import STABLE, Load
from tests.unit.server.kill_people import record
from tests.unit.server.killing import Killed, kill_again_and_again
from tunesmith import Project
from tunesmith.deployment import rollouts, versions
from tunesmith.deployment.tables import open_state
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


def project_in(folder: Path) -> Project:
    """A project with a version that was deployed."""
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


@pytest.mark.parametrize(
    "kills", [3, pytest.param(110, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])], ids=["few", "hundred"]
)
def test_nothing_that_was_accepted_is_lost_however_server_and_engines_end(tmp_path: Path, kills: int) -> None:
    root = project_in(tmp_path).store.root
    key = Keys(root / FILE).make("shop", Limits())
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    words = ["-m", "tests.unit.server.whole_server", str(tmp_path), str(listener.fileno())]
    served = Killed(tmp_path, [sys.executable, *words], listener)
    load = Load(root, f"http://127.0.0.1:{listener.getsockname()[1]}", key)
    kill_again_and_again(served, load, kills, seed=int(os.environ.get("TUNESMITH_TEST_SEED", kills)))
    assert load.told.answers
    if kills >= 100:
        assert min(served.killed.values()) >= kills // 4
        worked = {kind for kind in rollouts.MAIN_KINDS[1:] if load.counts[f"{kind} worked"]}
        assert worked == set(rollouts.MAIN_KINDS[1:])
        assert min(map(len, (load.told.remarks, load.told.tickets, load.told.replies, load.told.fetched))) > kills
