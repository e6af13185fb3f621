"""Requests to an engine in a child process: HTTP/1.1 on this machine, read by httptools.

A general client costs each token of an answer about as much as everything else that the server does with it, and each
request several times what its connection takes (docs/decisions/0015-own-client-for-the-engine.md).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import urlsplit

import httptools

#: How an event begins that carries data; others and comments carry nothing.
DATA = b"data: "
#: Seconds in which a child must take a connection.
CONNECT_SECONDS = 5.0


class BrokenAnswer(Exception):
    """The child hung up amid its answer, or what it sent is no HTTP."""


class ChildServer:
    """A server in a child process, at ``url`` for who has the key. Each request has a connection of its own: the child
    ends idle ones, perhaps amid a request."""

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._fields = f"host: {parts.netloc}\r\nauthorization: Bearer {key}\r\nconnection: close\r\n"

    async def events(self, path: str, body: bytes, patience: float) -> AsyncGenerator[bytes]:
        """The data of each event that the child sends for a body of JSON; none where its status is not 200.

        ``patience``: seconds without one after which it is given up. Raises BrokenAnswer, OSError or TimeoutError;
        whoever stops reading early hangs up.
        """
        head = f"POST {path} HTTP/1.1\r\n{self._fields}content-type: application/json\r\ncontent-length: {len(body)}"
        answer = await self._send(head.encode() + b"\r\n\r\n" + body)
        try:
            while True:
                while answer.events:
                    yield answer.events.popleft()
                if answer.is_over:
                    return
                async with asyncio.timeout(patience):
                    await answer.more()
        finally:
            answer.hang_up()

    async def status(self, path: str) -> int:
        """The status of the answer to a GET. Raises as `events`, but waits for ever."""
        answer = await self._send(f"GET {path} HTTP/1.1\r\n{self._fields}\r\n".encode())
        try:
            while not answer.is_over:
                await answer.more()
            return answer.status
        finally:
            answer.hang_up()

    async def _send(self, request: bytes) -> _Answer:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(CONNECT_SECONDS):
            _, answer = await loop.create_connection(_Answer, self._host, self._port)
        answer.send(request)
        return answer


class _Answer(asyncio.Protocol):
    """One answer as it comes. ``events``: the data of those that are whole and were not taken yet."""

    def __init__(self) -> None:
        self.events: deque[bytes] = deque()
        self.is_over = False
        self.status = 0
        self._parser: Any = httptools.HttpResponseParser(self)
        self._line = b""
        self._has_length = False
        self._error: BaseException | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def send(self, request: bytes) -> None:
        if self._transport is None:
            raise BrokenAnswer("the connection ended as it began")
        self._transport.write(request)

    async def more(self) -> None:
        """Wait until something came. Raises what went wrong."""
        if self._error is not None:  # behind the events that came before it
            raise self._error
        self._waiting = asyncio.get_running_loop().create_future()
        await self._waiting

    def hang_up(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._error = self._error or BrokenAnswer(str(error))
        self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        if self.status and not self._has_length and error is None:
            self.is_over = True  # such an answer ends with its connection
        if not self.is_over:
            self._error = self._error or error or BrokenAnswer("the child hung up")
        self._wake()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._has_length = self._has_length or name.lower() in (b"content-length", b"transfer-encoding")

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        if self.status != 200:
            return
        *whole, self._line = (self._line + body).split(b"\n")
        self.events += (line.removeprefix(DATA).rstrip(b"\r") for line in whole if line.startswith(DATA))

    def on_message_complete(self) -> None:
        self.is_over = True

    def _wake(self) -> None:
        if self._waiting is None or self._waiting.done():
            return
        if self._error is None or self.events:
            self._waiting.set_result(None)
        else:
            self._waiting.set_exception(self._error)
