"""The official client for Node, unmodified: `npm ci --prefix tests/node` installs it, and `.ci/run` does so."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.recipes.small_project import ROOT
from tunesmith.server.keys import Limits

FOLDER = ROOT / "tests" / "node"
#: How many tests there are in openai.test.js.
TESTS = 13


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node")
@pytest.mark.skipif(
    not (FOLDER / "node_modules" / "openai").exists(), reason="`npm ci --prefix tests/node` was not run"
)
def test_the_client_for_node_gets_what_it_relies_on(own_server: Any, tmp_path: Path) -> None:
    with own_server() as server:
        told = {
            "SERVER": f"{server.url}/v1",
            "KEY": server.key,
            "SINGLE": server.keys.make("single", Limits(at_once=1)),
            "GO": str(server.folder / "go"),
        }
        command = ["node", "--test", "--test-reporter=tap", "openai.test.js"]
        done = subprocess.run(
            command, cwd=FOLDER, env={**os.environ, **told}, capture_output=True, text=True, timeout=300, check=False
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"# pass {TESTS}" in done.stdout
