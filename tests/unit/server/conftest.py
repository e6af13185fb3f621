"""A server process over engines that need no model, and ways to ask it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from tests.recipes.small_project import ROOT
from tunesmith.server.keys import Keys, Limits


@dataclass
class Running:
    """A server at work. ``process`` is its own."""

    process: subprocess.Popen[str]
    url: str
    key: str
    keys: Keys
    folder: Path

    def go(self) -> None:
        """Let the answers go on that are held."""
        (self.folder / "go").touch()

    @property
    def client(self) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key=self.key, max_retries=0, timeout=60)

    def with_key(self, name: str, **limits: Any) -> openai.OpenAI:
        """A client with a new key of its own."""
        return self.client.with_options(api_key=self.keys.make(name, Limits(**limits)))

    def ask(self, method: str, path: str, *, key: str | None = "own", **more: Any) -> httpx2.Response:
        headers = {**({} if key is None else {"authorization": f"Bearer {self.key if key == 'own' else key}"})}
        headers |= more.pop("headers", {})
        return httpx2.request(method, f"{self.url}{path}", headers=headers, timeout=60, **more)


@contextmanager
def running(folder: Path, **options: Any) -> Iterator[Running]:
    """The server of `double_server.py`, with its options."""
    command = [sys.executable, "-m", "tests.unit.server.double_server", str(folder), json.dumps(options)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        url = f"http://127.0.0.1:{told['port']}"
        yield Running(process, url, told["key"], Keys(folder / "keys.json"), folder)
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("server")) as found:
        yield found


@pytest.fixture
def own_server(tmp_path: Path) -> Callable[[], Any]:
    """A server to be ended."""
    return lambda: running(tmp_path)
