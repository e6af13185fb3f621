"""Start the server, and end it so that no answer is cut: what runs is finished, new work is sent elsewhere."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Protocol

import uvicorn

from tunesmith.errors import InputError
from tunesmith.server.app import build_app, refused
from tunesmith.server.crashes import hold_back_words
from tunesmith.server.door import Bounds, Door, State
from tunesmith.server.heads import BoundedHead
from tunesmith.server.keys import Keys
from tunesmith.server.metrics import Metrics
from tunesmith.server.registry import Registry
from tunesmith.server.served import Served
from tunesmith.server.straight import Straight
from tunesmith.threads import look_through_again

#: Seconds that a connection may lie idle between requests: longer than clients and proxies keep one by default, since
#: what a client sends just when the server closes is lost.
KEEP_ALIVE_SECONDS = 75
#: Connections that may wait to be taken.
BACKLOG = 1024
#: Connections that may be open; what comes beyond is answered 503.
CONNECTIONS = 2000


def allow_connections() -> None:
    """Let this process have as many files open as it takes connections, as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * CONNECTIONS if hard == resource.RLIM_INFINITY else min(hard, 2 * CONNECTIONS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def bind(host: str, port: int) -> socket.socket:
    """Take the address; who connects before `listen` is refused. Raises InputError ``port_taken`` or ``bad_host``."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        raise InputError("bad_host", f"there is no address {host!r} here ({error})", "--host", "127.0.0.1") from error
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise _taken(host, port, error) from error
    return listener


def listen(listener: socket.socket) -> None:
    """From here on who connects waits. Raises InputError ``port_taken``: two may have one address until one listens."""
    host, port = listener.getsockname()[:2]
    try:
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise _taken(host, port, error) from error


def _taken(host: str, port: int, error: OSError) -> InputError:
    what = f"the address {host}:{port} cannot be had ({error.strerror})"
    return InputError("port_taken", what, "--port", "choose another: --port 8001")


class Beside(Protocol):
    """What runs beside the requests, and ends with the server."""

    async def start(self, registry: Registry) -> None: ...

    async def close(self) -> None: ...


def run(
    registry: Registry,
    keys: Keys,
    listener: socket.socket,
    bounds: Bounds,
    beside: Sequence[Beside] = (),
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Answer until a signal comes. The first lets what runs finish; a second, or one before ``ready``, ends at once.

    ``beside`` starts before the first request is taken. Without any the engines of the registry are started and ended.
    ``ready`` is called when all has started: from then on requests are answered.
    """
    allow_connections()
    state = State()
    metrics = Metrics(registry)
    app = Door(Straight(build_app(registry, state, metrics), refused), keys, registry, state, bounds, metrics)
    config = uvicorn.Config(
        app,
        http=BoundedHead,
        ws="none",
        lifespan="off",
        log_level="critical",
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    Draining(config, state, registry, beside or [Engines()], ready).run(sockets=[listener])


class Engines:
    """The engines of versions that stay the same as long as the server runs."""

    def __init__(self) -> None:
        self._served: list[Served] = []

    async def start(self, registry: Registry) -> None:
        self._served = registry.served
        await asyncio.gather(*(one.engine.start() for one in self._served))

    async def close(self) -> None:
        await asyncio.gather(*(one.engine.close() for one in self._served))


class Draining(uvicorn.Server):
    """A server that still answers while it goes down: 503 to what is new, to the end what runs."""

    def __init__(
        self,
        config: uvicorn.Config,
        state: State,
        registry: Registry,
        beside: Sequence[Beside],
        ready: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._ready = ready
        self._state = state
        self._registry = registry
        self._beside = list(beside)
        self._chores: list[asyncio.Task[None]] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        hold_back_words(asyncio.get_running_loop())
        chores = [chore for site in self._registry.sites for chore in site.chores]
        self._chores = [asyncio.ensure_future(chore()) for chore in chores]
        await asyncio.gather(*(one.start(self._registry) for one in self._beside))
        look_through_again()
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        await asyncio.gather(*(one.close() for one in self._beside))
        for chore in self._chores:
            chore.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)
        for site in self._registry.sites:
            site.close()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._state.draining or not self.started:  # before the start no answer is under way
            os._exit(128 + sig)  # engines in processes of their own end when this one does
        self._state.draining = True

    async def on_tick(self, counter: int) -> bool:
        if self._state.draining and self._state.running == 0:
            self.should_exit = True
        return await super().on_tick(counter)
