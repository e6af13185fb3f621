"""The client of OpenAI-compatible servers, against a real one: order, retries, bounds, a key that nobody is told."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.endpoint_server import Server, serving
from tunesmith.answering.answerer import key_of
from tunesmith.answering.cache import AnswerCache
from tunesmith.answering.endpoint import of_endpoint
from tunesmith.engines.openai_endpoint import Endpoint, ask
from tunesmith.errors import Cancelled, InputError, TunesmithError
from tunesmith.example import Message
from tunesmith.stages.context import Context
from tunesmith.stages.test.endpoints import asked

KEY = "sk-very-secret-zq"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(lambda body: f"echo {body['messages'][-1]['content']}") as found:
        yield found


@pytest.fixture
def endpoint(server: Server, monkeypatch: pytest.MonkeyPatch) -> Endpoint:
    monkeypatch.setenv("ZQ_KEY", KEY)
    return Endpoint("there", server.url, "big", "ZQ_KEY", timeout=30)


def talk(*texts: str) -> list[list[dict[str, str]]]:
    return [[{"role": "user", "content": text}] for text in texts]


def test_answers_come_in_the_order_of_the_questions_and_no_more_are_asked_at_once_than_wanted(
    server: Server, endpoint: Endpoint
) -> None:
    server.pause = 0.02
    texts = [str(number) for number in range(12)]
    told: list[tuple[int, int]] = []
    found = ask(replace(endpoint, at_once=3), talk(*texts), max_tokens=9, on_progress=lambda *one: told.append(one))
    assert [one.text for one in found] == [f"echo {text}" for text in texts]
    assert {(one.tokens, one.finished) for one in found} == {(3, True)}
    assert 1 < server.most <= 3
    assert told[-1] == (12, 12)
    assert set(server.keys) == {f"Bearer {KEY}"}
    assert server.asked[0] | {"messages": 0} == {"model": "big", "max_tokens": 9, "temperature": 0, "messages": 0}


def test_what_may_succeed_later_is_tried_again_ever_later(server: Server, endpoint: Endpoint) -> None:
    server.faults = [(503, {}), (429, {}), (429, {"Retry-After": "7"})]
    slept: list[float] = []
    assert ask(endpoint, talk("hi"), max_tokens=9, sleep=slept.append)[0].text == "echo hi"
    assert 0.5 <= slept[0] <= 0.75 < 1.0 <= slept[1] <= 1.5
    assert slept[2] == 7


@pytest.mark.parametrize(
    ("status", "code", "requests"),
    [(500, "endpoint_unreachable", 5), (401, "endpoint_refused", 1), (400, "endpoint_rejected", 1),
     (302, "endpoint_rejected", 1)],
)  # fmt: skip
def test_what_fails_for_good_is_told_without_the_key(
    server: Server, endpoint: Endpoint, status: int, code: str, requests: int
) -> None:
    server.faults = [(status, {"Location": "http://127.0.0.1:1/"})] * 9
    with pytest.raises(TunesmithError) as caught:
        ask(endpoint, talk("hi"), max_tokens=9, sleep=lambda seconds: None)
    assert caught.value.code == code
    assert KEY not in str(caught.value)
    assert "(the key)" in str(caught.value)
    assert len(server.asked) == requests


@pytest.mark.parametrize("raw", ["<html>", "{}", '{"choices": []}', '{"choices": [{"message": {"content": 7}}]}', "[]"])
def test_an_answer_that_is_no_completion_is_told(server: Server, endpoint: Endpoint, raw: str) -> None:
    server.raw = raw
    with pytest.raises(TunesmithError, match="endpoint_odd_answer"):
        ask(endpoint, talk("hi"), max_tokens=9)


def test_without_a_server_or_a_key_it_is_told_what_to_do(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        gone = replace(endpoint, url=f"http://127.0.0.1:{free.getsockname()[1]}/v1", tries=2)
        with pytest.raises(TunesmithError, match="endpoint_unreachable"):
            ask(gone, talk("hi"), max_tokens=9, sleep=lambda seconds: None)
    monkeypatch.setenv("ZQ_KEY", " ")
    with pytest.raises(InputError, match=r"endpoint_key_missing[^$]*export ZQ_KEY"):
        ask(endpoint, talk("hi"), max_tokens=9)


def test_no_key_is_sent_where_none_is_named_and_options_change_the_request(server: Server, endpoint: Endpoint) -> None:
    ask(replace(endpoint, key_env=None, options={"temperature": None, "top_p": 1}), talk("hi"), max_tokens=9)
    assert server.keys == [None]
    assert set(server.asked[0]) == {"model", "messages", "max_tokens", "top_p"}


def test_the_user_can_stop_it_and_what_waits_is_not_asked(server: Server, endpoint: Endpoint) -> None:
    server.pause = 0.05

    def stop(done: int, total: int) -> None:
        raise Cancelled()

    with pytest.raises(Cancelled):
        ask(replace(endpoint, at_once=2), talk(*map(str, range(50))), max_tokens=9, on_progress=stop)
    assert len(server.asked) < 10


def test_a_failure_does_not_wait_for_the_others_to_have_slept(server: Server, endpoint: Endpoint) -> None:
    server.faults = [(503, {"Retry-After": "50"}), (401, {})]
    began = time.monotonic()
    with pytest.raises(InputError, match="endpoint_refused"):
        ask(replace(endpoint, at_once=2), talk("one", "two"), max_tokens=9)
    assert time.monotonic() - began < 25
    assert len(server.asked) == 2  # nobody waits for a further try


def test_as_many_are_under_way_as_the_settings_say(server: Server, endpoint: Endpoint, tmp_path: Path) -> None:
    server.pause = 0.3
    many = replace(endpoint, at_once=24)
    answerer = of_endpoint(many, "", max_new_tokens=9, name="endpoint:there")
    prompts = [(Message.of("user", str(number)),) for number in range(48)]
    found = asked(answerer, prompts, Context("test", tmp_path, tmp_path, tmp_path), "answers", many.at_once)
    assert [one.text for one in found] == [f"echo {number}" for number in range(48)]
    assert 16 < server.most <= 24


def test_answers_are_kept_and_asked_for_once(server: Server, endpoint: Endpoint, tmp_path: Any) -> None:
    answerer = of_endpoint(endpoint, "Be kind.", max_new_tokens=9, name="endpoint:there")
    prompts = [(Message.of("user", text),) for text in ("one", "two", "one")]
    first = AnswerCache(tmp_path).answer(answerer, prompts)
    again = AnswerCache(tmp_path).answer(answerer, prompts[:2])
    assert [one.text for one in first] == ["echo one", "echo two", "echo one"]
    assert again == first[:2]
    assert len(server.asked) == len({key_of(prompt) for prompt in prompts})
    assert server.asked[0]["messages"][0] == {"role": "system", "content": "Be kind."}
    other = of_endpoint(replace(endpoint, model="small"), "Be kind.", max_new_tokens=9, name="endpoint:there")
    same = of_endpoint(replace(endpoint, timeout=1, at_once=1), "Be kind.", max_new_tokens=9, name="another name")
    assert other.identity != answerer.identity == same.identity
    assert all(KEY not in path.read_text() for path in tmp_path.glob("*"))
