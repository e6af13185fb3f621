"""Who uses a server that is killed: clients of the official library; beside them `kill_people.py`."""

from __future__ import annotations

import random
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import openai

from tests.unit.server.accepted import Accepted, Answer, Remark
from tests.unit.server.whole_server import NAME

#: Seconds after which whoever waits for a server gives up the test.
SOON = 90.0
STABLE = "stable"
#: The one refusal that is right while engines are killed.
DOWN = (503, "engine_down")
#: How the official client tells that an answer did not come whole; the second where it was reading a refusal.
CUT_OFF = (openai.APIConnectionError, httpx2.TransportError)
#: Why an answer that is whole ends; of the second there are some from models that know little.
ENDS = ("stop", "length")
#: What a client waits that lost its connection or was refused, in seconds.
PAUSE = 0.01


@dataclass
class Load:
    """``told`` is everything that must last; ``faults`` are what nobody should have seen.

    ``doubles``: the models are doubles, which say who they are and what they were asked, and can be made at will.
    """

    folder: Path
    url: str
    key: str
    name: str = NAME
    doubles: bool = True
    told: Accepted = field(default_factory=Accepted)
    faults: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    over: threading.Event = field(default_factory=threading.Event)
    latest_good: float = 0.0
    _threads: list[threading.Thread] = field(default_factory=list)

    def begin(self, works: Sequence[Callable[[Load, random.Random], None]], seed: int) -> None:
        """Let each work go on in a thread of its own, until `end`."""
        for number, work in enumerate(works):
            thread = threading.Thread(target=self._do, args=(work, random.Random(f"{seed} {number}")))
            self._threads.append(thread)
            thread.start()

    def _do(self, work: Callable[[Load, random.Random], None], rng: random.Random) -> None:
        try:
            work(self, rng)
        except Exception:
            self.faults.append(traceback.format_exc())

    def end(self) -> None:
        self.over.set()
        for thread in self._threads:
            thread.join()

    def wait_for_an_answer(self, alive: Callable[[], bool]) -> bool:
        """Whether an answer came before the server ended."""
        began = time.monotonic()
        while self.latest_good < began and alive():
            assert time.monotonic() - began < SOON
            time.sleep(0.005)
        return self.latest_good >= began

    def client(self) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key=self.key, max_retries=0, timeout=SOON)

    def until_told(self, ask: Callable[[], Any]) -> Any:
        """Ask again and again until the server answers whole; None where all is over before."""
        while not self.over.is_set():
            try:
                return ask()
            except CUT_OFF:
                time.sleep(PAUSE)
        return None


def ask_on_and_on(load: Load, rng: random.Random) -> None:
    """Ask, say what is thought of answers, and fetch those of a person."""
    mine: list[str] = []
    with load.client() as client:
        while not load.over.is_set():
            answered = _ask(load, client, rng)
            if answered is None:
                time.sleep(PAUSE)
                continue
            request, ticket = answered
            if ticket is not None:
                mine.append(ticket)
            if rng.random() < 0.5:
                _say(load, client, rng, request)
            if mine and rng.random() < 0.5:
                _fetch(load, client, rng.choice(mine))


def _ask(load: Load, client: openai.OpenAI, rng: random.Random) -> tuple[str, str | None] | None:
    """Ask once. Returns the request and its ticket where it was answered whole."""
    question = "parcel " + "".join(rng.choices("abcdefgh", k=12)) + "???" * (rng.random() < 0.3)
    model = rng.choice([load.name, load.name, f"{load.name}:{STABLE}"])
    asked: Any = {"model": model, "messages": [{"role": "user", "content": question}]}
    try:
        id, version, text, marks = (_streamed if rng.random() < 0.5 else _whole)(load, client, asked)
    except CUT_OFF:
        load.counts["cut off by a kill"] += 1
        return None
    except openai.APIStatusError as error:
        load.told.answers[str(error.request_id)] = Answer(error.status_code, str(error.code))
        _refused(load, error.status_code, str(error.code))
        return None
    except openai.APIError as error:  # in the midst of a stream
        _refused(load, DOWN[0], str(error.code))
        return None
    right = text == f"{version.partition('@')[2]}: {question}" and marks["handed_off"] is ("?" in question)
    if load.doubles and not right:
        load.faults.append(f"{version} said {text!r} to {question!r}, marked {marks}")
    load.told.answers[id] = Answer(200, None, version, question, text)
    if marks["handed_off"]:
        load.told.tickets[marks["ticket"]] = id
    load.latest_good = time.monotonic()
    return id, marks.get("ticket")


def _refused(load: Load, status: int, code: str) -> None:
    load.counts[f"refused: {status} {code}"] += 1
    if (status, code) != DOWN:
        load.faults.append(f"refused: {status} {code}")


def _whole(load: Load, client: openai.OpenAI, asked: Any) -> tuple[str, str, str, dict[str, Any]]:
    answer: Any = client.chat.completions.create(**asked)
    assert answer.choices[0].finish_reason in ENDS
    load.counts["answers in one piece"] += 1
    return answer._request_id, answer.model, answer.choices[0].message.content, answer.model_extra["tunesmith"]


def _streamed(load: Load, client: openai.OpenAI, asked: Any) -> tuple[str, str, str, dict[str, Any]]:
    stream: Any = client.chat.completions.create(**asked, stream=True)
    id = stream.response.headers["x-request-id"]
    chunks: list[Any] = []
    try:
        chunks.extend(stream)
    except CUT_OFF:
        raise
    except openai.APIError as error:
        load.told.answers[id] = Answer(200, str(error.code), chunks[0].model)
        raise
    assert chunks[-1].choices[0].finish_reason in ENDS
    load.counts["streams"] += 1
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    return id, chunks[0].model, text, chunks[-1].model_extra["tunesmith"]


def _say(load: Load, client: openai.OpenAI, rng: random.Random, request: str) -> None:
    """Say it again until it is accepted: by its own id it is known."""
    id, thumb, comment = f"{rng.random()}", rng.choice(["up", "down"]), "so it is " + "x" * rng.randrange(9)
    body = {"request": request, "id": id, "thumb": thumb, "comment": comment}
    told = load.until_told(partial(client.post, "/feedback", body=body, cast_to=object))
    if told is not None:
        load.told.remarks[id] = Remark(told["id"], request, thumb, comment)
        load.counts["feedback"] += 1


def _fetch(load: Load, client: openai.OpenAI, ticket: str) -> None:
    settled = load.told.replies.get(ticket)
    told = load.until_told(partial(client.get, f"/hand_offs/{ticket}", cast_to=object))
    if told is None:
        return
    answered = told["status"] == "answered"
    reply = told["completion"]["choices"][0]["message"]["content"] if answered else told["declined_because"]
    if settled is not None and (told["status"], reply) != settled:
        load.faults.append(f"{ticket} is {told['status']} with {reply!r}, and was settled with {settled}")
    if told["status"] != "waiting":
        load.told.fetched[ticket] = told["status"], reply
        load.counts["tickets fetched"] += 1
