"""Requests to an engine's server: whatever comes over the wire, and however it is cut."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunesmith.server.child_requests import BrokenAnswer, ChildServer

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def asked_of(serve: Serve, ask: Callable[[ChildServer], Awaitable[object]], loop: str = "asyncio") -> object:
    """What comes of a question to a server that answers so."""

    async def run() -> object:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            return await ask(ChildServer(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", "secret"))

    if loop == "uvloop":
        uvloop = pytest.importorskip("uvloop")
        return uvloop.run(run())
    return asyncio.run(run())


def answering(whole: bytes, cuts: list[int] | None = None, seen: list[bytes] | None = None) -> Serve:
    """Take a request and send these bytes, cut at some places; then hang up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
        body = await reader.readexactly(int(lines.get(b"content-length", b"0")))
        if seen is not None:
            seen.extend((head, body))
        places = sorted({0, len(whole), *(at % (len(whole) + 1) for at in cuts or [])})
        for start, end in itertools.pairwise(places):
            writer.write(whole[start:end])
            await writer.drain()
            await asyncio.sleep(0)
        writer.close()

    return serve


async def events(server: ChildServer) -> list[bytes]:
    return [event async for event in server.events("/completion", b'{"a": 1}', 5.0)]


def chunked(body: bytes, at: int) -> bytes:
    parts = [part for part in (body[:at], body[at:]) if part]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


BODY = b': ping\n\ndata: {"x": "\xc3\xa4"}\n\nevent: y\r\ndata: two\r\n\r\ndata: \n\n'
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@settings(max_examples=40, deadline=None)
@given(st.integers(0, len(BODY)), st.lists(st.integers(0, 300), max_size=6))
def test_every_event_comes_whole_and_in_order_however_it_is_cut(at: int, cuts: list[int]) -> None:
    found = asked_of(answering(HEAD + chunked(BODY, at), cuts), events)
    assert found == ['{"x": "ä"}'.encode(), b"two", b""]


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_the_request_is_what_a_server_expects(loop: str) -> None:
    seen: list[bytes] = []
    assert asked_of(answering(HEAD + chunked(BODY, 9), seen=seen), events, loop)
    assert seen[0].startswith(b"POST /completion HTTP/1.1\r\nhost: 127.0.0.1:")
    assert b"\r\nauthorization: Bearer secret\r\n" in seen[0]
    assert seen[1] == b'{"a": 1}'


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("kept", [10, len(HEAD), len(HEAD) + 20, -1])
def test_an_answer_that_is_cut_off_is_no_answer(loop: str, kept: int) -> None:
    with pytest.raises((BrokenAnswer, OSError)):
        asked_of(answering((HEAD + chunked(BODY, 9))[:kept]), events, loop)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_what_is_no_answer_is_told(loop: str) -> None:
    with pytest.raises(BrokenAnswer):
        asked_of(answering(b"SSH-2.0-OpenSSH_9.6\r\n"), events, loop)
    with pytest.raises((BrokenAnswer, OSError)):
        asked_of(answering(b""), events, loop)
    refusing = b"HTTP/1.1 500 Oh\r\ncontent-length: 7\r\n\r\ndata: x"
    assert asked_of(answering(refusing), events, loop) == []
    assert asked_of(answering(refusing), lambda server: server.status("/health"), loop) == 500


def test_a_silent_server_is_given_up_and_who_stops_reading_hangs_up() -> None:
    gone: list[bool] = []

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + chunked(b"data: 1\n\n", 3)[: -len(b"0\r\n\r\n")])
        with suppress(ConnectionError):
            await reader.read(-1)
        gone.append(True)

    async def ask(server: ChildServer) -> None:
        reading = server.events("/completion", b"", 0.2)
        assert await anext(reading) == b"1"
        with pytest.raises(TimeoutError):
            await anext(reading)
        stopped = server.events("/completion", b"", 5.0)
        assert await anext(stopped) == b"1"
        await stopped.aclose()
        async with asyncio.timeout(5):
            while len(gone) < 2:
                await asyncio.sleep(0.01)

    asked_of(endless, ask)
