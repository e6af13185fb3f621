"""What stands before and behind the body of a request, from the wire."""

from __future__ import annotations

import json
import socket

import pytest

from tests.unit.server.conftest import Running
from tests.unit.server.test_safety import answers, connected, head
from tunesmith.server.door import HEAD_BYTES

BODY = json.dumps({"model": "echo", "messages": [{"role": "user", "content": "abc"}]}).encode()


def received(connection: socket.socket) -> tuple[bytes, bytes]:
    """The status and the body of one answer."""
    come = b""
    while True:
        top, ends, body = come.partition(b"\r\n\r\n")
        if ends:
            lines = dict(line.lower().split(b": ", 1) for line in top.split(b"\r\n")[1:])
            if len(body) >= int(lines[b"content-length"]):
                return top.split(b" ")[1], body
        more = connection.recv(65536)
        if not more:
            return b"", come
        come += more


@pytest.mark.parametrize("split", [0, 40, 215, 330])
@pytest.mark.parametrize(
    "wish",
    [
        "connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAEAAEAAAAIAAAAA\r\n",
        "upgrade: websocket\r\nconnection: keep-alive, upgrade\r\n",
    ],
)
def test_a_wish_for_another_protocol_leaves_the_request_as_it_is(server: Running, wish: str, split: int) -> None:
    whole = head(server, len(BODY), wish) + BODY
    with connected(server) as connection:
        for _ in range(2):  # and the connection is kept
            for part in (whole[:split], whole[split:]):
                connection.sendall(part)
            status, told = received(connection)
            assert status == b"200", told
            assert json.loads(told)["choices"][0]["message"]["content"] == "abc"


def test_requests_that_come_together_are_answered_in_their_order(server: Running) -> None:
    asked = [BODY.replace(b"abc", letter) for letter in (b"x", b"yy", b"zzz")]
    with connected(server) as connection:
        connection.sendall(b"".join(head(server, len(body)) + body for body in asked))
        come = b""
        while come.count(b'"finish_reason"') < 3:
            come += connection.recv(65536)
    assert 0 < come.index(b'"content":"x"') < come.index(b'"content":"yy"') < come.index(b'"content":"zzz"')


def chunked(server: Running, rest: bytes) -> bytes:
    """The request with its body in one chunk, and what stands behind it."""
    top = head(server, 0).replace(b"content-length: 0", b"transfer-encoding: chunked")
    return top + b"%x\r\n%s\r\n0\r\n" % (len(BODY), BODY) + rest


def test_fields_behind_the_body_are_no_part_of_the_head(server: Running) -> None:
    with connected(server) as connection:
        connection.sendall(chunked(server, b"host: evil.example\r\nauthorization: Bearer other\r\n\r\n"))
        status, told = received(connection)
        assert status == b"200", told


@pytest.mark.parametrize("endless", ["header", "address", "trailer", "extension"])
def test_what_never_ends_is_cut_off(server: Running, endless: str) -> None:
    begun = {
        "header": b"GET /health HTTP/1.1\r\nhost: localhost\r\nx: ",
        "address": b"GET /",
        "trailer": chunked(server, b"x: "),
        "extension": chunked(server, b"")[: -len(b"0\r\n")] + b"1;x=",
    }[endless]
    with connected(server) as connection, pytest.raises(ConnectionError):
        connection.sendall(begun + b"a" * (600 * HEAD_BYTES))  # more than lies in the system's buffers
    answers(server)
