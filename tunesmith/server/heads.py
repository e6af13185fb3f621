"""HTTP/1.1 from the wire, by httptools: what stands before a request's body has a bound, in bytes and in time."""

from __future__ import annotations

import asyncio
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tunesmith.server.door import HEAD_BYTES

#: Seconds in which a client must have sent the head of a request.
HEAD_SECONDS = 15.0


class BoundedHead(HttpToolsProtocol):
    """A connection whose requests must have come so far that they can be judged within some bytes and seconds."""

    _waiting: asyncio.TimerHandle | None = None
    _loose = 0  # bytes since there was a whole head, or a piece of a body: the parser bounds neither head nor trailer
    _in_head = False
    _upgrading = False

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        self._loose += len(data)
        self._feed(data)
        if self._loose > HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The head of the request is too large.")
        self._watch()

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._stay(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")

    def _stay(self, rest: bytes) -> None:
        """Read a request again without its wish for another protocol, which some clients send with every request
        (``h2c``): the parser takes what follows, which is its body, for that protocol's."""
        self._upgrading = False
        method, url = self.parser.get_method(), self.url
        if method == b"CONNECT":
            self.send_400_response("This server is no proxy.")
            return
        lines = [b"%s %s HTTP/%s" % (method, url, self.parser.get_http_version().encode())]
        for name, value in self.headers:
            kept = value
            if name == b"connection":
                kept = b",".join(one for one in value.split(b",") if one.strip().lower() != b"upgrade")
            if name != b"upgrade":
                lines.append(b"%s: %s" % (name, kept))
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
        self._feed(b"\r\n".join([*lines, b"", b""]) + rest)

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self._in_head = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # what follows the body was not there when the request was judged
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._loose = 0
        self._upgrading = self.parser.should_upgrade()
        if not self._upgrading:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        if not self._upgrading:
            super().on_message_complete()

    def on_body(self, body: bytes) -> None:
        self._loose = 0
        super().on_body(body)

    def _watch(self) -> None:
        """Give up on a head that does not come; once a request runs, the door's bounds hold."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._unwatch()
        elif self._waiting is None:
            self._waiting = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _unwatch(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        self._waiting = None
        if not self.transport.is_closing():
            self.transport.close()
