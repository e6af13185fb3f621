"""Answers by messages from a server with OpenAI's /chat/completions, hosted or local, which has its own chat template.

What it writes comes as text and tool calls; token ids are not told:
https://platform.openai.com/docs/api-reference/chat-streaming .
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from tunesmith.engines.openai_endpoint import PATH
from tunesmith.engines.upstream import UpstreamError, Wire
from tunesmith.engines.upstream_tokens import read_rest
from tunesmith.example import Message

#: Tool calls of one answer, and characters of the arguments of all of them.
MOST_CALLS, MOST_ARGUMENTS = 128, 2**20


@dataclass(frozen=True)
class Usage:
    """Tokens as the server counts them; None where it does not tell."""

    prompt: int | None = None
    completion: int | None = None


@dataclass(frozen=True)
class Piece:
    """A part of an answer. ``calls``: parts of tool calls, as OpenAI's streams have them. ``logprobs``: of the tokens
    of its text, as OpenAI tells them. ``reason``: why the answer ends, in its last piece, which has the ``usage``."""

    text: str = ""
    calls: tuple[Mapping[str, Any], ...] = ()
    logprobs: tuple[Mapping[str, Any], ...] = ()
    reason: str | None = None
    usage: Usage = field(default_factory=Usage)


def messages_of(system: str, prompt: Sequence[Message]) -> list[dict[str, Any]]:
    """A prompt as such servers take it, behind the system prompt unless it has one of its own."""
    own = bool(prompt) and prompt[0].role == "system"
    turns = prompt if own or not system else (Message.of("system", system), *prompt)
    return [{"role": turn.role, "content": turn.text} for turn in turns]


def body_of(
    model: str, options: Mapping[str, Any], messages: Sequence[Mapping[str, Any]], asked: Mapping[str, Any]
) -> dict[str, Any]:
    """The request; ``asked`` has what is asked for besides, in OpenAI's words."""
    plain = {
        "model": model,
        "messages": list(messages),
        "stream": True,
        "stream_options": {"include_usage": True},
        **asked,
    }
    return {name: value for name, value in {**plain, **options}.items() if value is not None}


async def write(wire: Wire, messages: Sequence[Mapping[str, Any]], asked: Mapping[str, Any]) -> AsyncGenerator[Piece]:
    """The answer piece by piece; the last one says why it ended. ``asked`` has ``max_tokens``. Raises UpstreamError."""
    endpoint = wire.upstream.endpoint
    body = body_of(endpoint.model, endpoint.options, messages, asked)
    most = int(asked["max_tokens"])
    calls, written = _Calls(), 0
    reason, usage = None, Usage()
    async with aclosing(wire.events(PATH, body)) as events:
        async for event in events:
            piece, whole = _read(event)
            usage = _later(usage, piece.usage)
            calls.check(piece.calls)
            # a server that does not keep to max_tokens is stopped: no piece holds less than a token
            written += 1 if piece.text and not whole else 0
            reason = piece.reason or ("length" if written > most else None)
            if (piece.text and written <= most) or piece.calls:
                yield Piece(piece.text, piece.calls, piece.logprobs)
            if piece.reason is not None:
                for event in await read_rest(events):
                    usage = _later(usage, _read(event)[0].usage)
            if reason is not None:
                break
    if reason is None:
        raise UpstreamError("upstream_down", "the upstream broke the answer off")
    if reason not in ("stop", "length", "tool_calls", "content_filter"):
        reason = "tool_calls" if calls.ids else "stop"
    yield Piece(reason=reason, usage=usage)


def _later(before: Usage, now: Usage) -> Usage:
    return now if now != Usage() else before


@dataclass
class _Calls:
    """The tool calls of an answer so far, to bound them."""

    ids: set[int] = field(default_factory=set)
    characters: int = 0

    def check(self, calls: Sequence[Mapping[str, Any]]) -> None:
        """Raises UpstreamError for more than can be meant."""
        for call in calls:
            self.ids.add(call["index"])
            self.characters += len(call["function"].get("arguments", "")) + len(call["function"].get("name", ""))
        if len(self.ids) > MOST_CALLS or self.characters > MOST_ARGUMENTS:
            raise UpstreamError("upstream_odd", "the upstream calls absurdly many tools")


def _read(event: Mapping[str, Any]) -> tuple[Piece, bool]:
    """One event as a piece, and whether it is an answer in one. Raises UpstreamError for what is none."""
    try:
        choices = event.get("choices") or ()
        usage = _usage(event.get("usage"))
        if not choices:
            return Piece(usage=usage), False
        choice = choices[0]
        whole = "message" in choice
        delta = (choice["message"] if whole else choice.get("delta")) or {}
        text = (delta.get("content") or "") + (delta.get("refusal") or "")
        entries = (choice.get("logprobs") or {}).get("content") or ()
        calls = tuple(_call(number, one) for number, one in enumerate(delta.get("tool_calls") or ()))
        reason = choice.get("finish_reason")
        return Piece(text, calls, tuple(map(_entry, entries)), None if reason is None else str(reason), usage), whole
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise UpstreamError("upstream_odd", "the upstream answers with something else than a chat") from error


def _usage(told: Mapping[str, Any] | None) -> Usage:
    if not told:
        return Usage()

    def count(name: str) -> int | None:
        value = told.get(name)
        return None if value is None else max(0, int(value))

    return Usage(count("prompt_tokens"), count("completion_tokens"))


def _call(number: int, told: Mapping[str, Any]) -> dict[str, Any]:
    """A part of a tool call with nothing but what OpenAI's have."""
    function = {name: str(value) for name, value in (told.get("function") or {}).items() if value is not None}
    kept = {name: function[name] for name in ("name", "arguments") if name in function}
    head = {"id": str(told["id"]), "type": "function"} if told.get("id") else {}
    return {"index": int(told.get("index", number)), **head, "function": kept}


def _entry(told: Mapping[str, Any]) -> dict[str, Any]:
    """A token with its log probability, and the likeliest in its place."""
    own = {"token": str(told["token"]), "logprob": float(told["logprob"]), "bytes": _bytes(told)}
    others = [
        {"token": str(one["token"]), "logprob": float(one["logprob"]), "bytes": _bytes(one)}
        for one in told.get("top_logprobs") or ()
    ]
    return {**own, "top_logprobs": others}


def _bytes(told: Mapping[str, Any]) -> list[int]:
    known = told.get("bytes")
    return list(str(told["token"]).encode()) if known is None else [int(one) for one in known]
