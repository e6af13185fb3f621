"""What every request passes before it is answered: where it comes from, whose it is, how large it is."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from starlette.routing import Match

from tunesmith.deployment.exchange import Exchange
from tunesmith.errors import TunesmithError
from tunesmith.server.call import Call
from tunesmith.server.crashes import places
from tunesmith.server.keys import Key, Keys
from tunesmith.server.limits import Limiter
from tunesmith.server.metrics import Metrics
from tunesmith.server.refusal import UNWRITABLE, Refusal, refusal_of
from tunesmith.server.registry import Registry

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

#: Bytes of the head of a request.
HEAD_BYTES = 64 * 2**10
#: Seconds and bytes for which a body that was refused is read on: where a connection is closed with something unread,
#: the system takes the answer away again, and the client would not come to know why.
LINGER_SECONDS = 5.0
LINGER_BYTES = 64 * 2**20
#: The only route that needs no key.
OPEN = "/health"
#: The route of what is asked on none.
NO_ROUTE = "none"
#: The status of a request whose client went away before it was answered: it is recorded, and sent to nobody.
GONE = 499
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
#: Where the door leaves the call, for the routes.
CALL = "tunesmith.call"

log = logging.getLogger("tunesmith.server")


@dataclass(frozen=True)
class Bounds:
    """How much a client may send, and how long it may take. ``hosts``: names beside this machine's own."""

    hosts: frozenset[str] = frozenset()
    body_bytes: int = 4 * 2**20
    body_seconds: float = 30.0
    send_seconds: float = 30.0
    retry_seconds: float = 5.0


@dataclass
class State:
    """What the server is doing: how many requests run, and whether it takes no new ones."""

    running: int = 0
    draining: bool = False


class _Gone(Exception):
    """The client has gone away."""


@dataclass
class _Reply:
    """What was sent of one response. ``headers`` go with it; ``before_last`` is awaited before its last bytes leave."""

    send: Send
    seconds: float
    before_last: Callable[[int], Awaitable[None]]
    headers: dict[str, str] = field(default_factory=dict)
    more: Callable[[], dict[str, str]] = dict
    status: int = 0
    started: bool = False
    complete: bool = False

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.started, self.status = True, message["status"]
            told = {**self.headers, **self.more()}
            own = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in told.items()]
            message = {**message, "headers": [*message.get("headers", ()), *own]}
        elif message["type"] == "http.response.body" and not message.get("more_body", False):
            await self.before_last(self.status)
            self.complete = True
        async with asyncio.timeout(self.seconds):  # a client that does not read holds nothing for ever
            await self.send(message)


class Door:
    """The outermost part of the server, around the routes."""

    def __init__(
        self,
        app: App,
        keys: Keys,
        registry: Registry,
        state: State,
        bounds: Bounds,
        metrics: Metrics | None = None,
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._registry = registry
        self._keys = keys
        self._state = state
        self._bounds = bounds
        self._limiter = Limiter()
        paths = (str(getattr(route, "path", "{")) for route in getattr(app, "routes", ()))
        self._fixed = frozenset(path for path in paths if "{" not in path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        id = f"req-{secrets.token_hex(12)}"
        call: Call | None = None

        async def before_last(status: int) -> None:
            if call is not None:
                await call.end(status)

        reply = _Reply(send, self._bounds.send_seconds, before_last, {"x-request-id": id})
        try:
            headers = _headers(scope)
            check_origin(headers, scope.get("server"), self._bounds.hosts)
            if scope["path"] == OPEN:
                await self._app(scope, receive, reply)
                return
            key = self._holder(headers)
            call = Call(key, Exchange(id, self._route(scope), key.name), self._limiter, self._record)
            call.exchange.trace_parent = headers.get("traceparent")
            await self._let_in(call, {**scope, CALL: call}, headers, receive, reply)
        except _Gone:
            return
        except Exception as error:
            refusal = refusal_of(error)
            if (refusal.status == 500 or refusal.code == "not_kept") and not isinstance(error, TimeoutError):
                _tell(error, id)
            if call is None and self._metrics is not None:
                self._metrics.refused(self._route(scope), refusal.status, refusal.code)
            if not reply.started:
                if call is not None:
                    call.exchange.error = refusal.code
                await _refuse(reply, refusal, receive)
        finally:
            if call is not None:
                await call.end(GONE, "client_gone")
                call.close()

    def _route(self, scope: Scope) -> str:
        path = scope["path"]
        return path if path in self._fixed else route_of(self._app, scope)

    async def _record(self, call: Call) -> None:
        """Keep what came of the request. A record that cannot be kept is no reason to keep the answer back."""
        if self._metrics is not None:
            self._metrics.ended(call.exchange)
        try:
            await (call.site or self._registry.home).record(call.exchange)
        except TunesmithError as error:
            log.error("%s: it is not in the log of requests: %s", call.exchange.id, error.code)
        except Exception as error:
            _tell(error, call.exchange.id)

    async def _let_in(self, call: Call, scope: Scope, headers: dict[str, str], receive: Receive, reply: _Reply) -> None:
        if self._state.draining:
            after = self._bounds.retry_seconds
            raise Refusal(503, "draining", "the server is going down; it takes no new requests", retry_after=after)
        self._limiter.begin(call.key)
        reply.more = lambda: self._limiter.told(call.key)  # with what this request itself has used by then
        self._state.running += 1
        try:
            body = await self._body(headers, receive)
            await self._answer(scope, body, receive, reply)
        finally:
            self._state.running -= 1
            self._limiter.end(call.key)

    def _holder(self, headers: dict[str, str]) -> Key:
        kind, _, secret = headers.get("authorization", "").partition(" ")
        key = self._keys.holder_of(secret.strip()) if kind.lower() == "bearer" else None
        if key is None:
            raise Refusal(401, "invalid_api_key", "send a key of this server: Authorization: Bearer KEY")
        return key

    async def _body(self, headers: dict[str, str], receive: Receive) -> bytes:
        most = self._bounds.body_bytes
        too_large = Refusal(413, "body_too_large", f"a request may have {most:,} bytes")
        declared = headers.get("content-length", "0")
        if not declared.isdecimal() or len(declared) > 18 or int(declared) > most:
            raise too_large
        parts, size = [], 0
        try:
            async with asyncio.timeout(self._bounds.body_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _Gone
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    if size > most:
                        raise too_large
                    if not message.get("more_body", False):
                        return b"".join(parts)
        except TimeoutError as error:
            raise Refusal(408, "body_too_slow", "the request did not come whole in time") from error

    async def _answer(self, scope: Scope, body: bytes, receive: Receive, reply: _Reply) -> None:
        """Run the route; when the client goes away, what it asked for is given up."""
        waiting = [body]
        gone = asyncio.Event()

        async def give() -> MutableMapping[str, Any]:
            if waiting:
                return {"type": "http.request", "body": waiting.pop(), "more_body": False}
            await gone.wait()
            return {"type": "http.disconnect"}

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        answering = asyncio.ensure_future(self._app(scope, give, reply))
        watching = asyncio.create_task(watch())
        try:
            await asyncio.wait({answering, watching}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done() and not reply.complete:
                gone.set()
                answering.cancel()
                await asyncio.wait({answering})
                raise _Gone
            await answering
        finally:
            watching.cancel()
            answering.cancel()


def route_of(app: Any, scope: Scope) -> str:
    """The route as the server knows it, such as /v1/models/{name}: a path holds what a client wrote."""
    for route in getattr(app, "routes", ()):
        if route.matches(scope)[0] is not Match.NONE:
            return str(route.path)
    return NO_ROUTE


def check_origin(headers: dict[str, str], server: Any, hosts: frozenset[str]) -> None:
    """Refuse requests that a page of another site makes: by a name of its own that leads here, or across origins.

    Raises Refusal ``foreign_host`` or ``foreign_origin``.
    """
    allowed = {*LOOPBACK, *hosts, *([str(server[0])] if server else [])}
    host = headers.get("host", "")
    if _name_of(f"//{host}") not in allowed:
        what = f"this server does not go by the name {host[:100]!r}; its owner can allow it: --allow-host NAME"
        raise Refusal(403, "foreign_host", what)
    origin = headers.get("origin")
    if origin is not None and _netloc_of(origin) != host:
        raise Refusal(403, "foreign_origin", f"pages of {origin[:100]!r} may not ask this server")


def _name_of(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def _netloc_of(origin: str) -> str | None:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return None
    return parts.netloc if parts.scheme in ("http", "https") else None


def _headers(scope: Scope) -> dict[str, str]:
    """Headers by name in lower case.

    Raises Refusal ``bad_header`` for one that decides and stands twice, and where they are too large together: what
    comes all at once passes the bound that the protocol sets to what is still coming.
    """
    found: dict[str, str] = {}
    if sum(len(name) + len(value) + 4 for name, value in scope["headers"]) > HEAD_BYTES:
        raise Refusal(400, "bad_header", f"the headers may have {HEAD_BYTES:,} bytes together")
    for raw, value in scope["headers"]:
        name = raw.decode("latin-1").lower()
        if name in found and name in ("host", "origin", "authorization", "content-length"):
            raise Refusal(400, "bad_header", f"the header {name} stands twice")
        found[name] = value.decode("latin-1")
    return found


async def _refuse(reply: _Reply, refusal: Refusal, receive: Receive) -> None:
    import orjson

    body = orjson.dumps(refusal.envelope)
    unread = refusal.status in (408, 413)
    reply.headers |= {**refusal.headers, "content-length": str(len(body))}
    if unread:
        reply.headers["connection"] = "close"  # what is still coming is no request
    head = {
        "type": "http.response.start",
        "status": refusal.status,
        "headers": [(b"content-type", b"application/json")],
    }
    await reply(head)
    if unread:
        await reply.before_last(refusal.status)
        await reply({"type": "http.response.body", "body": body, "more_body": True})
        await _read_away(receive)
        body = b""
    await reply({"type": "http.response.body", "body": body})


async def _read_away(receive: Receive) -> None:
    """Read what a client still sends, within bounds, and keep nothing of it."""
    size, more = 0, True
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGER_SECONDS):
            while more and size < LINGER_BYTES:
                message = await receive()
                size += len(message.get("body", b""))
                more = message["type"] == "http.request" and message.get("more_body", False)


def _tell(error: Exception, request_id: str) -> None:
    """Where it failed, or that nothing can be written; not the error's words, which may hold what a client wrote."""
    if isinstance(error, TunesmithError) and error.code in UNWRITABLE:
        log.error("%s: %s", request_id, error.code)
    else:
        log.error("%s: %s", request_id, places(error))
