"""The routes."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse, Response, StreamingResponse
from starlette.exceptions import HTTPException

from tunesmith.errors import TunesmithError
from tunesmith.server import chat, completions, labels, people
from tunesmith.server.access import find_for, may_use
from tunesmith.server.call import Call
from tunesmith.server.door import CALL, OPEN, State
from tunesmith.server.metrics import Metrics
from tunesmith.server.openapi import describe
from tunesmith.server.people import FeedbackRequest
from tunesmith.server.refusal import Refusal, refusal_of
from tunesmith.server.registry import Registry, Routes
from tunesmith.server.relay import BY_MESSAGES
from tunesmith.server.requests import Asked, ChatRequest, ClassificationRequest, CompletionRequest, EmbeddingRequest
from tunesmith.server.served import Served, ServedChat, ServedLabels, ServedText
from tunesmith.version import __version__

#: Seconds that a trial answer may take before the server counts as not ready.
READY_SECONDS = 10.0


def build_app(registry: Registry, state: State, metrics: Metrics | None = None) -> FastAPI:
    """The routes over the models. Every route but /health is behind the door's key."""
    app = FastAPI(title="Tunesmith", version=__version__, docs_url=None, redoc_url=None)
    app.add_exception_handler(Refusal, refused)
    app.add_exception_handler(TunesmithError, refused)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _failed)

    def take_labels(asked: Asked, call: Call) -> ServedLabels:
        one = registry.take(asked.model, call, asked.who)
        if not isinstance(one, ServedLabels):
            what = f"{one.version.name} writes text: ask /v1/chat/completions"
            raise Refusal(400, "not_served", what, param="model")
        return one

    @app.get("/health")
    async def health() -> dict[str, str]:
        """Whether the process is there; needs no key."""
        return {"status": "draining" if state.draining else "ok"}

    @app.get("/ready")
    async def ready(request: Request) -> dict[str, Any]:
        """Whether every model that the key may ask answers: found out by letting it answer."""
        key = request.scope[CALL].key
        served = [one for one in registry.served if may_use(key, one.version.full_name)]
        works = await asyncio.gather(*(_works(one) for one in served))
        if not all(works):
            down = ", ".join(one.version.name for one, well in zip(served, works, strict=True) if not well)
            raise Refusal(503, "not_ready", f"no answer comes from {down}", retry_after=2)
        return {"status": "ready", "models": [one.version.full_name for one in served]}

    @app.get("/metrics", response_class=PlainTextResponse)
    async def figures() -> Response:
        """Prometheus' figures of this process; behind a key as all the rest."""
        shown = metrics or Metrics(registry)
        return Response(shown.text(), media_type=shown.media_type)

    @app.get("/v1/models")
    async def models(request: Request) -> dict[str, Any]:
        """The models that the key may ask, by their names, their aliases, and by name and version."""
        key = request.scope[CALL].key
        cards = itertools.chain(*map(_cards, registry.routes))
        return {"object": "list", "data": [card for card in cards if may_use(key, card["id"])]}

    @app.get("/v1/models/{name}")
    async def model(name: str, request: Request) -> dict[str, Any]:
        """One model."""
        one = find_for(request.scope[CALL].key, registry, name)
        return _card(name, one, registry.of(one.version.name))

    @app.post("/v1/chat/completions")
    async def chat_completions(asked: ChatRequest, request: Request) -> Response:
        """Answer a conversation; a classifier answers with its label."""
        asked.check()
        call = request.scope[CALL]
        one = registry.take(asked.model, call, asked.who)
        if asked.is_greedy or isinstance(one, ServedLabels):
            registry.mirror(one, call, lambda shadow, again: _answer(shadow, asked, again))
        if asked.stream:
            return await _streamed(_answer_in_chunks(one, asked, call), call)
        return _json(await _answer(one, asked, call))

    @app.post("/v1/completions")
    async def plain_completions(asked: CompletionRequest, request: Request) -> Response:
        """Go on from a bare text."""
        asked.check()
        call = request.scope[CALL]
        one = registry.take(asked.model, call, asked.who)
        writer = _writer(one)
        if asked.is_greedy:
            registry.mirror(one, call, lambda shadow, again: completions.complete(_writer(shadow), asked, again))
        if asked.stream:
            return await _streamed(completions.stream(writer, asked, call), call)
        return _json(await completions.complete(writer, asked, call))

    @app.post("/v1/classifications")
    async def classifications(asked: ClassificationRequest, request: Request) -> Response:
        """Label texts, with the probability of each label."""
        call = request.scope[CALL]
        one = take_labels(asked, call)
        registry.mirror(one, call, lambda shadow, again: labels.classify(shadow, asked, again))
        return _json(await labels.classify(one, asked, call))

    @app.post("/v1/embeddings")
    async def embeddings(asked: EmbeddingRequest, request: Request) -> Response:
        """Turn texts into vectors by the tuned encoder."""
        call = request.scope[CALL]
        return _json(await labels.embed(take_labels(asked, call), asked, call))

    @app.get("/v1/hand_offs/{ticket}")
    async def hand_off(ticket: str, request: Request) -> Response:
        """What became of a request that went to a person: waiting, answered or declined."""
        told, headers = await people.hand_off(registry, ticket, request.scope[CALL])
        return _json(told, headers=headers)

    @app.post("/v1/feedback")
    async def feedback(asked: FeedbackRequest, request: Request) -> Response:
        """Say of an answer whether it was good, what is wrong with it, or what it should be."""
        return _json(await people.take_feedback(registry, asked, request.scope[CALL]))

    describe(app, frozenset({OPEN}))
    return app


async def _answer(one: Served, asked: ChatRequest, call: Call) -> dict[str, Any]:
    """A chat's answer in one piece, by whatever kind of model."""
    if isinstance(one, ServedText):
        return await chat.complete(one, asked, call)
    if isinstance(one, ServedChat):
        return await chat.complete(one, asked, call, BY_MESSAGES)
    return await chat.label(one, asked, call)


def _answer_in_chunks(one: Served, asked: ChatRequest, call: Call) -> AsyncIterator[dict[str, Any]]:
    """The same as a stream."""
    if isinstance(one, ServedText):
        return chat.stream(one, asked, call)
    if isinstance(one, ServedChat):
        return chat.stream(one, asked, call, BY_MESSAGES)
    return chat.stream_label(one, asked, call)


def _writer(one: Served) -> ServedText:
    """The model, where it can go on from a bare text. Raises Refusal ``not_served``."""
    if isinstance(one, ServedText):
        return one
    is_chat = isinstance(one, ServedChat)
    where = "/v1/chat/completions" if is_chat else "/v1/classifications or /v1/chat/completions"
    kind = "at a server that is asked by messages" if is_chat else "a classifier"
    raise Refusal(400, "not_served", f"{one.version.name} is {kind}: ask {where}", param="model")


def _cards(routes: Routes) -> list[dict[str, Any]]:
    return [_card(name, one, routes) for name, one in routes.names().items()]


def _card(name: str, one: Served, routes: Routes) -> dict[str, Any]:
    """What a name leads to; for a project's own name also the version that answers a share of what is asked."""
    version = one.version
    told = {
        "version": version.full_name,
        "training": version.artifacts.get("train", version.id),
        "base": version.base.name,
        "output": version.goal.output,
        "engine": one.engine.name,
        "context": version.base.context,
        "tested": version.tested,
    }
    if name == routes.name and routes.canary is not None:
        told["canary"] = {"version": routes.canary.version.full_name, "share": routes.share}
    return {
        "id": name,
        "object": "model",
        "created": int(version.made_at),
        "owned_by": "tunesmith",
        "tunesmith": told,
    }


async def _works(one: Served) -> bool:
    try:
        async with asyncio.timeout(READY_SECONDS):
            return await one.engine.works()
    except Exception:
        return False


def _json(data: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(data), status, headers, "application/json")


async def _streamed(chunks: AsyncIterator[dict[str, Any]], call: Call) -> Response:
    """Server-sent events. What goes wrong before the first chunk is an error as any other."""
    first = await anext(chunks)

    async def events() -> AsyncIterator[bytes]:
        try:
            yield _event(first)
            async for chunk in chunks:
                yield _event(chunk)
            last = b"data: [DONE]\n\n"
        except Exception as error:
            refusal = refusal_of(error)
            call.exchange.error = refusal.code
            last = _event(refusal.envelope)
        finally:
            await chunks.aclose()  # type: ignore[attr-defined]
        await call.end(200)  # clients take this event for the end, and hang up
        yield last

    headers = {"cache-control": "no-cache", "x-accel-buffering": "no"}
    return _Events(events(), media_type="text/event-stream", headers=headers)


class _Events(StreamingResponse):
    """A stream that ends when its client is given up, and with it what was written for the client.

    Left to the garbage collector, an answer that is not read keeps its turn at the model for as long as that takes.
    """

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await self.stream_response(send)  # the door sees when the client goes away
        finally:
            await self.body_iterator.aclose()  # type: ignore[attr-defined]


def _event(data: Any) -> bytes:
    return b"data: " + orjson.dumps(data) + b"\n\n"


async def refused(request: Request, error: Exception) -> Response:
    """The response of an error that a request ends with."""
    refusal = refusal_of(error)
    if refusal.status == 500:
        raise error  # the door tells where
    return _envelope(request, refusal)


async def _failed(request: Request, error: Exception) -> Response:
    """What the client is told of a fault of the server; the door, which the error reaches too, tells where it is."""
    return _envelope(request, refusal_of(error))


async def _not_valid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return _envelope(request, Refusal(400, "bad_json", "the body is no JSON"))
    place = ".".join(str(part) for part in first["loc"] if part != "body")
    code = "wrong_value"
    message = f"{place}: {first['msg']}" if place else "the body must be a JSON object"
    return _envelope(request, Refusal(400, code, message, param=place or None))


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = {404: "no_such_route", 405: "wrong_method"}.get(error.status_code, "bad_json")
    message = {
        404: "there is no such route; GET /openapi.json lists them",
        405: f"this route takes {(error.headers or {}).get('Allow', 'another method')}",
    }.get(error.status_code, str(error.detail))
    return _envelope(request, Refusal(error.status_code, code, message), dict(error.headers or {}))


def _envelope(request: Request, refusal: Refusal, headers: dict[str, str] | None = None) -> Response:
    """A refusal as the client gets it, noted in what came of the request."""
    call = request.scope.get(CALL)
    if call is not None:
        call.exchange.error = refusal.code
    return _json(refusal.envelope, refusal.status, {**refusal.headers, **(headers or {})})
