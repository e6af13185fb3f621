"""What came of a request is recorded before its client can know that the answer is whole."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.unit.server.conftest import Running, running
from tunesmith.deployment.exchange import Exchange
from tunesmith.deployment.state import FILE
from tunesmith.server.call import Call
from tunesmith.server.keys import Key
from tunesmith.server.limits import Limiter
from tunesmith.server.site import Site

QUESTION: Any = [{"role": "user", "content": "Where is my tent?"}]


@pytest.fixture(scope="module")
def logging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that keeps texts."""
    folder = tmp_path_factory.mktemp("logging")
    (folder / "log.json").write_text(json.dumps({"text": True}))
    with running(folder) as found:
        yield found


def logged(folder: Path, id: str) -> list[tuple[int, str | None]]:
    with closing(sqlite3.connect(folder / FILE)) as database:
        return database.execute("SELECT status, error FROM traffic WHERE id = ?", (id,)).fetchall()


def test_of_a_stream_that_a_client_has_to_its_end_something_can_be_said_at_once(logging: Running) -> None:
    client = logging.client
    for _ in range(20):
        with client.chat.completions.create(model="echo", messages=QUESTION, stream=True) as stream:
            for _chunk in stream:
                pass
            id = stream.response.headers["x-request-id"]
        assert logged(logging.folder, id) == [(200, None)]  # the official client hangs up at [DONE]
        client.post("/feedback", body={"request": id, "thumb": "up"}, cast_to=object)


def test_a_stream_that_breaks_down_is_recorded_before_its_error_is_told(logging: Running) -> None:
    asked: Any = [{"role": "user", "content": "fail please"}]
    stream = logging.client.chat.completions.create(model="echo", messages=asked, stream=True)
    with pytest.raises(openai.APIError):
        list(stream)
    assert logged(logging.folder, stream.response.headers["x-request-id"]) == [(200, "internal_error")]


def test_an_answer_whose_record_cannot_be_kept_leaves_and_the_server_says_so(tmp_path: Path) -> None:
    with running(tmp_path, keeps=True) as server:
        assert server.ask("GET", "/ready").status_code == 200
        with closing(sqlite3.connect(tmp_path / FILE)) as database:
            database.execute("DROP TABLE traffic")  # in place of a full disk
        for stream in (False, True):
            body = {"model": "echo", "messages": QUESTION, "stream": stream}
            answer = server.ask("POST", "/v1/chat/completions", json=body)
            assert answer.status_code == 200
            remark = {"request": answer.headers["x-request-id"], "thumb": "up"}
            assert server.ask("POST", "/v1/feedback", json=remark).status_code == 200  # what can be kept is
        server.process.kill()
        _, said = server.process.communicate()
    assert answer.headers["x-request-id"] in said
    assert QUESTION[0]["content"] not in said


class Slow:
    """A recorder that takes its time."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.kept: list[str] = []

    async def record(self, exchange: Exchange) -> None:
        await self.go.wait()
        self.kept.append(exchange.id)


class Broken:
    async def record(self, exchange: Exchange) -> None:
        raise OSError("no")


def call_of(*recorders: Any) -> Call:
    site = Site("echo", recorders=recorders)
    return Call(Key("k", "", 0.0), Exchange("req-1", "", "k"), Limiter(), lambda call: site.record(call.exchange))


def test_a_client_that_goes_away_while_it_is_recorded_changes_nothing() -> None:
    async def run() -> list[str]:
        slow = Slow()
        call = call_of(slow)
        ending = asyncio.create_task(call.end(200))
        await asyncio.sleep(0)
        ending.cancel()
        await asyncio.wait({ending})
        asyncio.get_running_loop().call_later(0.01, slow.go.set)
        await call.end(499)
        assert call.exchange.status == 200
        return slow.kept

    assert asyncio.run(run()) == ["req-1"]


def test_what_one_recorder_cannot_keep_the_others_do_before_the_answer_leaves() -> None:
    async def run() -> list[str]:
        slow = Slow()
        asyncio.get_running_loop().call_later(0.01, slow.go.set)
        with pytest.raises(OSError, match="no"):
            await call_of(Broken(), slow).end(200)
        return slow.kept

    assert asyncio.run(run()) == ["req-1"]
