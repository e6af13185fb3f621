"""Who is let in, how much they may send, and how the server goes down."""

from __future__ import annotations

import itertools
import json
import re
import signal
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any
from urllib.parse import urlsplit

import httpx2
import openai
import pytest

from tests.unit.server.conftest import Running

HELD_TEXT = "hold on, please"
HELD = {"model": "echo", "messages": [{"role": "user", "content": HELD_TEXT}]}


def error_of(answer: Any) -> dict[str, Any]:
    found = answer.json()["error"]
    assert set(found) == {"message", "type", "param", "code"}
    assert answer.headers["x-request-id"].startswith("req-")
    return dict(found)


def test_every_route_but_health_needs_a_key(server: Running) -> None:
    paths = server.ask("GET", "/openapi.json").json()["paths"]
    routes = [(method, re.sub(r"\{\w+\}", "echo", path)) for path, methods in paths.items() for method in methods]
    routes += [("get", "/openapi.json"), ("get", "/no/such/route"), ("options", "/v1/models"), ("get", "//health")]
    assert len(routes) >= 12
    for method, path in routes:
        for key in (None, "tunesmith-wrong", "x" * 3000):
            answer = server.ask(method.upper(), path, key=key)
            assert answer.status_code == (200 if path == "/health" else 401), (method, path)
    assert error_of(server.ask("GET", "/v1/models", key=None))["code"] == "invalid_api_key"


def test_a_wrong_address_method_or_body_is_told_with_what_would_be_right(server: Running) -> None:
    lost = server.ask("POST", "/v1/chat/completion", json={})
    assert (lost.status_code, error_of(lost)["code"]) == (404, "no_such_route")
    assert "/openapi.json" in error_of(lost)["message"]
    method = server.ask("GET", "/v1/chat/completions")
    assert (method.status_code, error_of(method)["code"]) == (405, "wrong_method")
    assert error_of(method)["message"] == "this route takes POST"
    for body in ([], "text", 5, None):
        answer = server.ask("POST", "/v1/chat/completions", content=json.dumps(body))
        assert answer.status_code == 400
        if body:
            assert error_of(answer)["message"] == "the body must be a JSON object"


def test_ready_is_an_answer_and_not_a_port(server: Running) -> None:
    assert server.ask("GET", "/ready").json() == {"status": "ready", "models": ["echo@e012", "letters@l012"]}


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"host": "evil.example"}, "foreign_host"),
        ({"host": "evil.example:8000"}, "foreign_host"),
        ({"host": "127.0.0.1.evil.example"}, "foreign_host"),
        ({"host": ""}, "foreign_host"),
        ({"origin": "http://evil.example"}, "foreign_origin"),
        ({"origin": "null"}, "foreign_origin"),
        ({"origin": "http://127.0.0.1:1"}, "foreign_origin"),
    ],
)
def test_pages_of_other_sites_cannot_ask(server: Running, headers: dict[str, str], code: str) -> None:
    for path in ("/health", "/v1/models"):
        answer = server.ask("GET", path, headers=headers)
        assert (answer.status_code, error_of(answer)["code"]) == (403, code)


def test_this_machines_own_names_are_known(server: Running) -> None:
    port = urlsplit(server.url).port
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", "localhost", f"[::1]:{port}"):
        assert server.ask("GET", "/health", headers={"host": host}).status_code == 200
    own = {"host": f"localhost:{port}", "origin": f"http://localhost:{port}"}
    assert server.ask("GET", "/health", headers=own).status_code == 200


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"x" * 300_000, 413, "body_too_large"),
        (b"[" * 100_000, 400, "bad_json"),
        (b'{"model": ', 400, "bad_json"),
        (b"\xff\xfe", 400, "bad_json"),
        (b"", 400, "wrong_value"),
        (b"[]", 400, "wrong_value"),
        (b'{"model": "echo", "messages": [{"role": "user", "content": "\\ud800"}]}', 400, "not_utf8"),
        (b'{"model": "echo", "messages": [{"role": "user", "content": "a"}], "temperature": NaN}', 400, "wrong_value"),
        (
            b'{"model": "echo", "messages": [{"role": "user", "content": "a"}], "seed": 1' + b"0" * 9000 + b"}",
            400,
            None,
        ),
    ],
)
def test_bodies_of_absurd_size_or_form_are_refused(
    server: Running, content: bytes, status: int, code: str | None
) -> None:
    headers = {"content-type": "application/json"}
    answer = server.ask("POST", "/v1/chat/completions", content=content, headers=headers)
    assert answer.status_code == status
    assert error_of(answer)["code"] == code or code is None


def test_a_body_that_lies_about_its_size_is_cut_off(server: Running) -> None:
    def parts() -> Any:
        for _ in range(40):
            yield b"x" * 10_000

    answer = server.ask("POST", "/v1/chat/completions", content=parts())
    assert (answer.status_code, error_of(answer)["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("declared", [True, False])
def test_who_sends_far_too_much_reads_why_it_was_refused(server: Running, declared: bool) -> None:
    """A client that sends all of its body before it reads, as Java's and a proxy do."""
    size = 5_000_000
    length = f"content-length: {size}" if declared else "transfer-encoding: chunked"
    head = f"POST /v1/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {server.key}\r\n{length}\r\n\r\n"
    body = b"x" * size if declared else b"%x\r\n%b\r\n0\r\n\r\n" % (size, b"x" * size)
    with raw(server, head) as connection:
        connection.sendall(body)
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 413")
    told = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert told["error"]["code"] == "body_too_large"


def raw(server: Running, text: str) -> socket.socket:
    address = urlsplit(server.url)
    connection = socket.create_connection((address.hostname, address.port), timeout=30)
    connection.sendall(text.encode())
    return connection


def test_a_body_that_does_not_come_is_not_waited_for(server: Running) -> None:
    head = f"POST /v1/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {server.key}\r\n"
    with raw(server, f"{head}content-length: 10\r\n\r\n{{") as connection:
        assert connection.recv(1000).startswith(b"HTTP/1.1 408")


def test_headers_of_absurd_size_are_refused(server: Running) -> None:
    with raw(server, "GET /health HTTP/1.1\r\nhost: localhost\r\nlong: " + "x" * 200_000) as connection:
        assert connection.recv(1000).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("half", [False, True])
def test_what_a_client_left_behind_is_given_up(server: Running, half: bool) -> None:
    body = json.dumps({**HELD, "stream": True})
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {server.key}\r\n"
    whole = f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}"
    left = [raw(server, whole) for _ in range(2)]  # both slots of the model
    for connection in left:
        assert b"200 OK" in connection.recv(300)
        connection.shutdown(socket.SHUT_WR) if half else connection.close()
    answer = server.client.chat.completions.create(model="echo", messages=[{"role": "user", "content": "a"}])
    assert answer.choices[0].message.content == "a"
    for connection in left:
        connection.close()


def test_a_key_is_held_to_its_limits(server: Running) -> None:
    asked = {"model": "echo", "messages": [{"role": "user", "content": "a"}]}
    often = server.with_key("often", requests_a_minute=2)
    told = [often.chat.completions.with_raw_response.create(**asked).headers for _ in range(2)]
    assert [headers["x-ratelimit-remaining-requests"] for headers in told] == ["1", "0"]
    with pytest.raises(openai.RateLimitError) as refused:
        often.chat.completions.create(**asked)
    assert refused.value.code == "too_many_requests"
    assert 1 <= int(refused.value.response.headers["retry-after"]) <= 60
    long = server.with_key("long", tokens_a_request=5)
    assert long.chat.completions.create(**asked, max_tokens=4)
    with pytest.raises(openai.BadRequestError) as too_long:
        long.chat.completions.create(**asked, max_tokens=5)
    assert too_long.value.code == "too_many_tokens"
    labels = {"model": "letters", "messages": [{"role": "user", "content": "abcdef"}]}
    with pytest.raises(openai.BadRequestError):
        long.chat.completions.create(**labels)


def test_a_key_is_told_what_is_left_of_its_tokens(server: Running) -> None:
    asked = {"model": "echo", "messages": [{"role": "user", "content": "twelve bytes"}]}
    few = server.with_key("few", tokens_a_minute=40)
    told = few.chat.completions.with_raw_response.create(**asked).headers
    assert told["x-ratelimit-limit-tokens"] == "40"
    assert told["x-ratelimit-remaining-tokens"] == "15"  # the prompt, the answer and its end are used
    few.chat.completions.create(**asked)
    with pytest.raises(openai.RateLimitError) as refused:
        few.chat.completions.create(**asked)
    assert refused.value.code == "too_many_tokens_a_minute"
    assert 50 <= int(refused.value.response.headers["retry-after"]) <= 60


def test_a_key_sees_and_asks_its_models_alone(server: Running) -> None:
    one = server.with_key("one", models=("letters",))
    assert [model.id for model in one.models.list()] == ["letters", "letters@l012"]
    asked = {"messages": [{"role": "user", "content": "a"}]}
    assert one.chat.completions.create(model="letters@l012", **asked)
    told = []
    for name in ("echo", "nobody"):
        for ask in (one.models.retrieve, lambda model: one.chat.completions.create(model=model, **asked)):
            with pytest.raises(openai.NotFoundError) as unknown:
                ask(name)
            told.append(str(unknown.value.body).replace(name, "NAME"))
    assert len(set(told)) == 1  # nobody learns which models there are beside one's own
    assert "echo" not in told[0]


def test_a_full_queue_refuses_at_once_and_others_are_answered(own_server: Callable[[], Any]) -> None:
    with own_server() as server, ThreadPoolExecutor(8) as clients:

        def ask(_: int) -> str | openai.RateLimitError:
            try:
                return str(server.client.chat.completions.create(**HELD).choices[0].message.content)
            except openai.RateLimitError as error:
                return error

        asked = [clients.submit(ask, number) for number in range(8)]  # two run, two wait
        refused = [one.result(30) for one in itertools.islice(as_completed(asked, 60), 4)]
        server.go()
        for error in refused:
            assert isinstance(error, openai.RateLimitError)
            assert error.code == "queue_full"
            assert int(error.response.headers["retry-after"]) >= 1
        assert [one.result(30) for one in asked if one.result(30) not in refused] == [HELD_TEXT] * 4


def test_a_first_signal_lets_what_runs_finish_and_sends_new_work_away(own_server: Callable[[], Any]) -> None:
    with own_server() as server:
        stream = server.client.chat.completions.create(**HELD, stream=True)
        text = next(stream).choices[0].delta.content or ""
        server.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 30
        while (answer := server.ask("GET", "/v1/models")).status_code == 200:
            assert time.monotonic() < deadline
        assert (answer.status_code, error_of(answer)["code"]) == (503, "draining")
        assert int(answer.headers["retry-after"]) >= 1
        assert server.ask("GET", "/health").json() == {"status": "draining"}
        server.go()
        text += "".join(chunk.choices[0].delta.content or "" for chunk in stream)
        assert text == HELD_TEXT
        assert server.process.wait(30) == 0


def test_a_second_signal_ends_at_once(own_server: Callable[[], Any]) -> None:
    with own_server() as server:
        stream = server.client.chat.completions.create(**HELD, stream=True)
        next(stream)
        server.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 30
        while server.ask("GET", "/health").json() == {"status": "ok"}:
            assert time.monotonic() < deadline
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 128 + signal.SIGTERM
        with pytest.raises((openai.APIError, httpx2.TransportError)):
            list(stream)
