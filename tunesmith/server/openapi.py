"""The description of the server's routes, in OpenAPI: who may ask, what is answered, and every way to be refused."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

ERROR = "#/components/schemas/Error"
#: Why a request may be refused, by status. The codes are in docs/serve.md.
REFUSALS = {
    400: "What was asked cannot be done; `param` names the field.",
    401: "There is no key, or an unknown one.",
    403: "The server does not go by this name, or a page of another site asks.",
    404: "There is nothing here, or nothing that this key may use.",
    405: "The route knows other methods.",
    408: "The request did not come whole in time.",
    413: "The request is too large.",
    429: "A limit of the key, or a full queue: come again after `Retry-After` seconds.",
    500: "The server failed; its log tells where.",
    502: "The server behind this model answers something odd: come again after `Retry-After` seconds.",
    503: "The engine is down, or the server is: come again after `Retry-After` seconds.",
}
#: Before a key is looked at, or without one.
OPEN_REFUSALS = (400, 403, 405, 500, 503)
#: Routes that answer in events where ``stream`` is true.
STREAMS = ("/v1/chat/completions", "/v1/completions")

_ERROR_SCHEMA = {
    "type": "object",
    "title": "Error",
    "required": ["error"],
    "additionalProperties": False,
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "additionalProperties": False,
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": "string"},
            },
        }
    },
}
#: Of one server-sent event: `itemSchema` is OpenAPI 3.2's, and FastAPI's own way to tell of events in a 3.1 document.
_EVENT = {
    "type": "object",
    "title": "Event",
    "required": ["data"],
    "properties": {
        "data": {
            "type": "string",
            "pattern": r"^(\{.*\}|\[DONE\])$",
            "description": "A chunk as JSON, or an error in its envelope; the last of a whole answer is `[DONE]`.",
        }
    },
}
_REQUEST_ID = {"description": "Name it when you ask about this request.", "schema": {"type": "string"}}
_RETRY_AFTER = {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}


def describe(app: FastAPI, open_paths: frozenset[str]) -> None:
    """Let the app tell of its routes as they are behind the door. ``open_paths`` need no key."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _described(app, open_paths)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _described(app: FastAPI, open_paths: frozenset[str]) -> dict[str, Any]:
    told = get_openapi(title=app.title, version=app.version, routes=app.routes)
    parts = told.setdefault("components", {})
    schemas = {name: one for name, one in parts.get("schemas", {}).items() if "ValidationError" not in name}
    parts["schemas"] = {**schemas, "Error": _ERROR_SCHEMA}
    parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer", "description": "tunesmith serve --new-key"}}
    for path, methods in told["paths"].items():
        for route in methods.values():
            is_open = path in open_paths
            route["security"] = [] if is_open else [{"key": []}]
            given = {status: one for status, one in route["responses"].items() if status != "422"}
            for one in given.values():
                one.setdefault("headers", {})["x-request-id"] = _REQUEST_ID
            refusals = {str(status): _refusal(status) for status in (OPEN_REFUSALS if is_open else REFUSALS)}
            route["responses"] = {**given, **refusals}
            if path in STREAMS:
                route["responses"]["200"]["content"]["text/event-stream"] = {"itemSchema": _EVENT}
    return told


def _refusal(status: int) -> dict[str, Any]:
    headers = {"x-request-id": _REQUEST_ID, **({"retry-after": _RETRY_AFTER} if status in (429, 502, 503) else {})}
    content = {"application/json": {"schema": {"$ref": ERROR}}}
    return {"description": REFUSALS[status], "headers": headers, "content": content}
