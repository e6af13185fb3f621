"""`kill -9` of the server, or of the engine below it, at any moment under load: what was answered is recorded."""

from __future__ import annotations

import json
import random
import threading
import time
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from tests.unit.server.conftest import Running, running
from tests.unit.server.kept import kept

CLIENTS = 6
#: Seconds in which the engine is there again, on a machine that does much else.
SOON = 60.0


class Load:
    """Clients that ask until they are ended, and remember each answer that they got whole."""

    def __init__(self, server: Running) -> None:
        self._server = server
        self._over = threading.Event()
        self.answered: dict[str, int] = {}
        self.latest_good = 0.0
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def _ask(self, number: int) -> None:
        model = "letters" if number == 0 else "echo"
        asked = {"model": model, "messages": [{"role": "user", "content": "abc"}], "stream": number % 2 == 1}
        headers = {"authorization": f"Bearer {self._server.key}"}
        with httpx2.Client(base_url=self._server.url, headers=headers, timeout=SOON) as client:
            while not self._over.is_set():
                try:
                    answer = client.post("/v1/chat/completions", json=asked)
                except httpx2.TransportError:  # it did not come whole
                    continue
                if asked["stream"] and answer.status_code == 200:
                    good = answer.text.endswith("data: [DONE]\n\n")
                    assert good or json.loads(answer.text.split("data: ")[-1])["error"]["code"] == "engine_down"
                else:
                    good = answer.status_code == 200
                    assert answer.status_code in (200, 429, 503), answer.text
                self.answered[answer.headers["x-request-id"]] = answer.status_code
                if good and model == "echo":
                    self.latest_good = time.monotonic()

    def wait_for_an_answer(self) -> None:
        began = time.monotonic()
        while self.latest_good < began:
            assert time.monotonic() - began < SOON
            time.sleep(0.01)

    def end(self) -> dict[str, int]:
        self._over.set()
        for thread in self._threads:
            thread.join()
        return self.answered


def engine_of(server: Running) -> psutil.Process:
    """The engine that runs now: after a kill it takes a moment to be there again."""
    began = time.monotonic()
    while not (found := psutil.Process(server.process.pid).children()):
        assert time.monotonic() - began < SOON
        time.sleep(0.01)
    return found[0]


def end_in_turns(folder: Path, kills: int, seed: int) -> int:
    """Kill the server and its engine by turns; return how many answers clients had got."""
    chance = random.Random(seed)
    answered: dict[str, int] = {}
    killed: dict[str, int] = {"server": 0, "engine": 0}
    while sum(killed.values()) < kills:
        with running(folder, waiting=20, keeps=True, child=True) as server:
            load = Load(server)
            load.wait_for_an_answer()
            for _ in range(min(3, kills - sum(killed.values()) - 1)):
                time.sleep(chance.uniform(0, 0.3))
                engine_of(server).kill()
                killed["engine"] += 1
                load.wait_for_an_answer()  # it is started anew
            time.sleep(chance.uniform(0, 0.3))
            server.process.kill()
            killed["server"] += 1
            answered |= load.end()
        found = kept(folder)
        assert {id: found.get(id) for id in answered} == answered
    assert min(killed.values()) >= kills // 5
    return len(answered)


def test_what_was_answered_is_recorded_however_the_server_or_its_engine_ends(tmp_path: Path) -> None:
    assert end_in_turns(tmp_path, kills=3, seed=0) > 3


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_what_was_answered_is_recorded_after_a_hundred_kills(tmp_path: Path) -> None:
    answers: Any = end_in_turns(tmp_path, kills=100, seed=1)
    assert answers > 100
