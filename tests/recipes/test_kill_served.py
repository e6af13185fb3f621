"""`tunesmith serve` with real models in llama.cpp, killed with its engines under load: nothing accepted is lost."""

from __future__ import annotations

import json
import random
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.recipes.small_project import environment
from tests.recipes.test_deploy import command, train_otherwise
from tests.recipes.test_export import SETTINGS
from tests.recipes.test_serve import serving
from tests.recipes.tiny_project import rows
from tests.unit.server.kill_load import STABLE, Load
from tests.unit.server.killing import Killed, kill_again_and_again
from tunesmith import Project
from tunesmith.server.keys import FILE, Keys, Limits

#: About half of the answers are for a person; nothing is taken back by itself, as killed engines would be.
HANDED_OFF = SETTINGS.replace("goal: {", "goal: {unknown: hand_off, confidence: 0.5, ")
SERVED = f"{HANDED_OFF}serve: {{log: {{text: true}}, deploy: {{roll_back: false}}}}\n"
KILLS = 30


def two_versions(folder: Path, bases_cache: Path, capsys: Any) -> Project:
    """A project that has served two versions by llama.cpp; the first has a name of its own."""
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows()), encoding="utf-8")
    (folder / "tunesmith.yaml").write_text(SERVED, encoding="utf-8")
    project = Project.open(folder)
    project.run(to="train")
    with serving([folder], bases_cache, "--engine", "llamacpp"):
        first = command(folder, capsys, "deploy", "--engine", "llamacpp")["version"]
        train_otherwise(project)
        command(folder, capsys, "deploy", "--engine", "llamacpp")
        command(folder, capsys, "deploy", first.partition("@")[2], "--as", STABLE)
    return project


def free_port() -> int:
    """One that the system gives nobody who asks for any: the server comes back to it after each kill."""
    while True:
        port = random.randrange(20_000, 30_000)
        with socket.socket() as trial:
            if trial.connect_ex(("127.0.0.1", port)):
                return port


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_nothing_that_was_accepted_is_lost_when_a_server_of_trained_models_is_killed(
    tmp_path: Path, bases_cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNESMITH_CACHE", str(bases_cache))
    project = two_versions(tmp_path, bases_cache, capsys)
    root, port = project.store.root, free_port()
    key = Keys(root / FILE).make("shop", Limits())
    words = ["serve", str(tmp_path), "--port", str(port), "--engine", "llamacpp"]
    started = [sys.executable, "-m", "tunesmith.cli", *words]
    served = Killed(tmp_path, started, environment=environment(bases_cache))
    load = Load(root, f"http://127.0.0.1:{port}", key, name="tiny", doubles=False)
    with capsys.disabled():
        kill_again_and_again(served, load, KILLS, seed=0)
    assert min(served.killed.values()) >= KILLS // 4
    assert min(map(len, (load.told.answers, load.told.remarks, load.told.names.rollouts))) > 0
