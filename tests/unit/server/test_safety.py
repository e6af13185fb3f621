"""Clients that mean harm, or are broken: none of them keeps others from being answered."""

from __future__ import annotations

import asyncio
import json
import random
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from fastapi.routing import iter_route_contexts

from tests.unit.server.conftest import Running
from tests.unit.server.double_server import models
from tunesmith.errors import InputError
from tunesmith.server.app import build_app
from tunesmith.server.door import OPEN, State
from tunesmith.server.refusal import Refusal
from tunesmith.server.registry import Registry
from tunesmith.server.requests import NamedSchema, ResponseFormat, schema_of
from tunesmith.server.schema_checks import SchemaChecks

#: Seconds in which others must be answered, on a machine that does much else.
SOON = 20.0


def answers(server: Running) -> None:
    """Somebody else is answered."""
    began = time.monotonic()
    answer = server.client.chat.completions.create(model="echo", messages=[{"role": "user", "content": "a"}])
    assert answer.choices[0].message.content == "a"
    assert time.monotonic() - began < SOON


@contextmanager
def connected(server: Running) -> Iterator[socket.socket]:
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), timeout=SOON) as connection:
        yield connection


def head(server: Running, length: int, more: str = "") -> bytes:
    lines = (
        "POST /v1/chat/completions HTTP/1.1",
        "host: localhost",
        f"authorization: Bearer {server.key}",
        "content-type: application/json",
        f"content-length: {length}",
    )
    return ("\r\n".join(lines) + f"\r\n{more}\r\n").encode()


def chat(server: Running, **more: Any) -> Any:
    asked = {"model": "echo", "messages": [{"role": "user", "content": "a"}], **more}
    return server.ask("POST", "/v1/chat/completions", json=asked)


def send_slowly(connection: socket.socket, text: str) -> None:
    for letter in text:
        connection.sendall(letter.encode())
        time.sleep(0.05)


def test_no_route_of_the_app_is_open_but_health(server: Running, tmp_path: Path) -> None:
    app = build_app(Registry(models(tmp_path, 1)), State())
    routes = [(method, one.path) for one in iter_route_contexts(app.routes) for method in one.methods or ("GET",)]
    assert len(routes) >= 9
    for method, path in routes:
        answer = server.ask(method, re.sub(r"\{\w+(:\w+)?\}", "echo", path), key=None)
        assert answer.status_code == (200 if path == OPEN and method == "GET" else 401), (method, path)


def test_schemas_of_absurd_size_are_refused_before_they_are_compiled(server: Running) -> None:
    absurd: list[Any] = [
        {"type": "object", "properties": {f"key{number}": {} for number in range(100_000)}},
        {"enum": list(range(6000))},
        {"type": "string", "pattern": "(a+)+" * 200},
        {"patternProperties": {f"^(a|b)*{number}(a|b){{10}}$": {} for number in range(300)}},
        {"patternProperties": {"(a+)+" * 200: {}}},
    ]
    for schema in absurd:
        form = ResponseFormat(type="json_schema", json_schema=NamedSchema(schema=schema))
        began = time.process_time()
        with pytest.raises(Refusal) as refused:
            schema_of(form, None)
        assert refused.value.code == "bad_schema"
        assert time.process_time() - began < 5
    with connected(server) as connection:
        connection.sendall(head(server, len('"key999999":{},') * 1_000_000))
        assert connection.recv(12) == b"HTTP/1.1 413"  # before it has come
    within = {f"key{number}": {} for number in range(12_000)}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"properties": within}}}
    answer = chat(server, response_format=form)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_schema")
    answers(server)


def test_a_schema_that_takes_long_to_compile_is_given_up_and_keeps_one_core_busy_at_most() -> None:
    go = threading.Event()
    running: list[str] = []

    def check(schema: Any) -> None:
        running.append(schema["type"])
        if schema["type"] == "bomb":
            go.wait(60)
        if schema["type"] == "nonsense":
            raise InputError("schema_not_enforceable", "no")

    async def use() -> list[BaseException | None]:
        checks = SchemaChecks(check, seconds=0.2)
        try:
            found = [await asyncio.gather(checks.check({"type": "bomb"}), return_exceptions=True)]
            found.append(await asyncio.gather(checks.check({"type": "late"}), return_exceptions=True))
            go.set()
            checks._seconds = 60.0
            found.append(await asyncio.gather(checks.check({"type": "nonsense"}), return_exceptions=True))
            found.append(await asyncio.gather(checks.check({"type": "object"}), return_exceptions=True))
        finally:
            checks.close()
        return [one for [one] in found]

    slow, late, nonsense, fine = asyncio.run(use())
    assert [getattr(one, "code", None) for one in (slow, late, nonsense, fine)] == [
        "schema_not_enforceable",
        "queue_full",
        "schema_not_enforceable",
        None,
    ]
    assert running == ["bomb", "nonsense", "object"]


def test_stops_messages_and_parts_of_absurd_number_are_refused(server: Running) -> None:
    text = {"role": "user", "content": "a"}
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000}}
    cases: list[tuple[dict[str, Any], int]] = [
        ({"stop": ["a"] * 17}, 400),
        ({"stop": "a" * 201}, 400),
        ({"messages": [text] * 1001}, 400),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": ""}] * 1001}]}, 400),
        ({"messages": [{"role": "user", "content": [image]}]}, 400),
        ({"messages": [{"role": "user", "content": [image, image]}]}, 413),
        ({"n": 9}, 400),
        ({"logit_bias": {str(number): 1 for number in range(1001)}}, 400),
        ({"tools": [{"type": "function", "function": {"name": "f"}}] * 201}, 400),
        ({"max_tokens": 10**30}, 400),
        ({"model": "e" * 301}, 400),
        ({"user": "x" * 150_000}, 200),
        ({"messages": [text] * 1000}, 200),
    ]
    for more, status in cases:
        assert chat(server, **more).status_code == status, str(more)[:80]
    answers(server)


@pytest.mark.parametrize("opening", ['{"a":', "[", '{"a":['])
def test_json_that_is_nested_deeply_is_refused(server: Running, opening: str) -> None:
    closing = opening[::-1].translate(str.maketrans("{[", "}]", ':"a'))
    for levels in (20, 500, 5_000, 15_000):
        nested = opening * levels + "1" + closing * levels
        body = f'{{"model": "echo", "messages": [{{"role": "user", "content": "a"}}], "metadata": {nested}}}'
        headers = {"content-type": "application/json"}
        answer = server.ask("POST", "/v1/chat/completions", content=body.encode(), headers=headers)
        assert answer.status_code in (200, 400), levels
    answers(server)


def test_a_head_that_comes_letter_by_letter_is_not_waited_for(server: Running) -> None:
    with connected(server) as connection:
        began = time.monotonic()
        with pytest.raises(OSError):
            send_slowly(connection, "GET /health HTTP/1.1\r\nhost: " + "x" * 1000)
        assert time.monotonic() - began < SOON
    answers(server)


def test_clients_that_do_not_read_their_answers_hold_no_slot_for_ever(server: Running) -> None:
    message = {"role": "user", "content": "0" * 900}
    asked = {"model": "echo", "messages": [message], "stream": True, "n": 8, "logprobs": True, "top_logprobs": 1}
    body = json.dumps(asked).encode()
    with ExitStack() as stack:
        for _ in range(2):  # both slots of the model
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            connection.settimeout(SOON)
            address = urlsplit(server.url)
            connection.connect((address.hostname, address.port))
            connection.sendall(head(server, len(body)) + body)
            assert connection.recv(15) == b"HTTP/1.1 200 OK"
        answers(server)


def test_idle_connections_keep_nobody_out(server: Running) -> None:
    with ExitStack() as stack:
        idle = [stack.enter_context(connected(server)) for _ in range(300)]
        answers(server)
        idle[0].settimeout(SOON)
        assert idle[0].recv(1) == b""  # the server does not wait for ever


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /health HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n\r\n",
        b"GET http://evil.example/v1/models HTTP/1.1\r\nhost: evil.example\r\n\r\n",
        b"POST /health HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/models HTTP/1.1\r\nhost: localhost\r\ncontent-length: -5\r\n\r\n",
        b"POST /v1/models HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99999999999999999999999\r\n\r\n",
        b"POST /v1/models HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffffff\r\n",
        b"GET /v1/models\x00 HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\nx: a\x00b\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer \xff\xfe\r\n\r\n",
        b"GET /v1/models HTTP/9.9\r\nhost: localhost\r\n\r\n",
        b"GET " + b"/" * 70_000 + b" HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET /health HTTP/1.1\r\nhost: localhost\r\n" + b"a: b\r\n" * 20_000 + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\r\n" * 5000,
    ],
)
def test_what_is_no_proper_request_is_refused_or_cut_off(server: Running, sent: bytes) -> None:
    with connected(server) as connection:
        try:
            connection.sendall(sent)
            got = connection.recv(100)
        except OSError:
            got = b""
        assert got == b"" or re.match(rb"HTTP/1\.1 4\d\d ", got), got
    answers(server)


def test_no_noise_brings_the_server_down(server: Running) -> None:
    noise = random.Random(0)
    body = json.dumps({"model": "echo", "messages": [{"role": "user", "content": "a"}], "stream": True}).encode()
    whole = head(server, len(body)) + body
    seen = 0
    for _ in range(60):
        spoiled = bytearray(whole)
        for _ in range(noise.randint(1, 6)):
            spoiled[noise.randrange(len(spoiled))] = noise.randrange(256)
        with connected(server) as connection:
            try:
                connection.sendall(bytes(spoiled[: noise.randint(1, len(spoiled))]))
                connection.shutdown(socket.SHUT_WR)
                got = connection.recv(100)
            except OSError:
                got = b""
            assert not re.match(rb"HTTP/1\.1 5", got), (bytes(spoiled), got)
            seen += 1
    assert seen == 60
    answers(server)


def test_half_a_surrogate_pair_in_a_schema_is_refused(server: Running) -> None:
    for broken in ({"enum": ["\ud800"]}, {"type": "object", "properties": {"\udfff": {}}}):
        asked = {"model": "echo", "messages": [{"role": "user", "content": "a"}]}
        asked["response_format"] = {"type": "json_schema", "json_schema": {"name": "x", "schema": broken}}
        headers = {"content-type": "application/json"}
        answer = server.ask("POST", "/v1/chat/completions", content=json.dumps(asked).encode(), headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "not_utf8")
