"""The routes that take JSON, by a shorter way than the framework's.

FastAPI describes the routes and tells what is wrong with a request. What is right with it goes straight to the route's
function: the framework's layers cost each request about as much as reading it from the wire does.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any, get_type_hints

from fastapi import FastAPI, Request
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.responses import Response

from tunesmith.errors import TunesmithError
from tunesmith.server.refusal import Refusal

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Refused = Callable[[Request, Exception], Awaitable[Response]]


@dataclass(frozen=True)
class Post:
    """A route's function ``answer(asked, request)``, and what it is asked with."""

    asked: type[BaseModel]
    answer: Callable[..., Awaitable[Response]]

    def read(self, body: bytes) -> BaseModel | None:
        """The request in the body; None where anything is wrong with it."""
        try:
            return self.asked.model_validate(json.loads(body))
        except (ValueError, RecursionError):
            return None


class Straight:
    """The app, whose JSON routes are gone to directly. ``refused`` makes the response of an error as the app does."""

    def __init__(self, app: FastAPI, refused: Refused) -> None:
        self._app = app
        self._refused = refused
        self._posts = dict(_posts(app))
        self.routes = app.routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_post = scope["type"] == "http" and scope["method"] == "POST" and _is_json(scope)
        post = self._posts.get(scope["path"]) if is_post else None
        if post is None:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        body = await request.body()
        asked = post.read(body)
        if asked is None:
            await self._app(scope, _given(body, receive), send)
            return
        try:
            response = await post.answer(asked=asked, request=request)
        except (Refusal, TunesmithError) as error:
            response = await self._refused(request, error)
        await response(scope, receive, send)


def _posts(app: FastAPI) -> Iterator[tuple[str, Post]]:
    for route in app.routes:
        if isinstance(route, APIRoute) and route.methods == {"POST"}:
            takes = get_type_hints(route.endpoint)
            takes.pop("return", None)
            if set(takes) == {"asked", "request"} and "{" not in route.path:
                yield route.path, Post(takes["asked"], route.endpoint)


def _is_json(scope: Scope) -> bool:
    kinds = [value for name, value in scope["headers"] if name.lower() == b"content-type"]
    return len(kinds) == 1 and kinds[0].partition(b";")[0].strip().lower() == b"application/json"


def _given(body: bytes, receive: Receive) -> Receive:
    """The body once more, and then what comes."""
    waiting = [body]

    async def give() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": waiting.pop(), "more_body": False} if waiting else await receive()

    return give
