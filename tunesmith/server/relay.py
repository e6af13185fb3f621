"""POST /v1/chat/completions of a model that is at another server, asked by messages: its answer is passed on.

Keys, limits, rules, people and records are this server's; the prompt in tokens, tool calls and the count of tokens are
the other's.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

from tunesmith.deployment.guard import Stopped
from tunesmith.engines.upstream_chat import Usage
from tunesmith.generation import Sampling
from tunesmith.server.answering import fits_goal
from tunesmith.server.call import Call
from tunesmith.server.calling import held_to_rules
from tunesmith.server.chat import Way
from tunesmith.server.chat_prompts import Asked, check_logprobs, nth, sampling_of, task_of
from tunesmith.server.conversation import calls_tools, texts_of, turns_of
from tunesmith.server.growing_text import GrowingText
from tunesmith.server.requests import ChatRequest, schema_of
from tunesmith.server.served import ServedChat, in_tokens, room_for
from tunesmith.server.tool_prompts import Placed, let_through, place, told
from tunesmith.tool_calls import ToolCall, Tools, Turn

#: Stops that every such server takes; here all are kept to.
STOPS_SENT = 4


@dataclass(frozen=True)
class Relayed(Asked):
    """A request made ready, with ``messages`` and ``fields`` as the upstream gets them. ``prompt`` counts alone."""

    messages: Sequence[Mapping[str, Any]] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)


async def prepare(served: ServedChat, request: ChatRequest, call: Call, head: dict[str, Any]) -> Relayed:
    check_logprobs(served, request.logprobs)
    asked_turns, asked_tools = turns_of(request.messages), request.asked_tools
    turns, tools = await let_through(served, call, asked_turns, asked_tools)
    texts = [*(message.text for message in texts_of(turns)), *told(tools)]

    def put() -> tuple[list[int], Placed]:
        placed = place(served, turns)
        if tools is not None or calls_tools(turns):  # our own template may have no place for them
            return served.codec.of_text("\n".join(texts)), placed
        return served.codec.of_messages(placed.given), placed

    prompt, placed = await in_tokens(texts, put, slow=served.prepare is not None)
    wanted = request.max_completion_tokens or request.max_tokens
    room = room_for(served, len(prompt), wanted, call.key.limits.tokens_a_request)
    format = request.response_format
    schema = served.schema if format is None else schema_of(format, served.version.goal.schema)
    sampling = sampling_of(request, room, schema=schema)
    due = served.version.goal.schema if format is None else schema
    task = task_of(served, placed.messages, placed.given, due)
    call.read(len(prompt))
    own = turns[0].role == "system"
    system = [] if own or not task.system[0] else [{"role": "system", "content": task.system[0]}]
    messages = [*system, *map(_told, placed.turns)]
    marked = {"system": "request" if own else "goal"}
    return Relayed(request, prompt, sampling, task, head, marked, tools, messages, _fields(request, sampling, tools))


def _told(turn: Turn) -> dict[str, Any]:
    """One message as OpenAI has it."""
    calls = {"tool_calls": [call.told for call in turn.calls]} if turn.calls else {}
    reply = {"tool_call_id": turn.call_id} if turn.call_id is not None else {}
    return {"role": turn.role, "content": turn.text or (None if calls else ""), **calls, **reply}


def _fields(request: ChatRequest, sampling: Sampling, tools: Tools | None) -> dict[str, Any]:
    """What is asked for besides; what is None is not sent."""
    more: dict[str, Any] = {}
    if tools is not None:
        only = {"type": "function", "function": {"name": tools.only}}
        more = {
            "tools": list(tools.definitions),
            "tool_choice": only if tools.only else "required" if tools.required else None,
            "parallel_tool_calls": None if tools.parallel else False,
        }
    return {
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": request.top_p,
        "stop": request.stops[:STOPS_SENT] or None,
        "response_format": _format(request, sampling),
        "logprobs": request.logprobs or None,
        "top_logprobs": request.top_logprobs or None,
        **more,
    }


def _format(request: ChatRequest, sampling: Sampling) -> dict[str, Any] | None:
    """What the answer must keep to, which the upstream enforces."""
    if sampling.schema is None:
        return None
    if sampling.schema == {"type": "object"}:
        return {"type": "json_object"}
    own = request.response_format.json_schema if request.response_format else None
    strict = {"strict": own.strict} if own is not None and own.strict is not None else {}
    named = {"name": own.name if own else "answer", "schema": sampling.schema, **strict}
    return {"type": "json_schema", "json_schema": named}


@dataclass
class _CallsInParts:
    """Tool calls while they come: the first part of each has its name, later ones go on with its arguments."""

    parts: dict[int, dict[str, str]] = field(default_factory=dict)

    def add(self, told: Sequence[Mapping[str, Any]]) -> None:
        for one in told:
            known = self.parts.setdefault(one["index"], {"id": "", "name": "", "arguments": ""})
            known["id"] = one.get("id") or known["id"]
            for name in ("name", "arguments"):
                known[name] += one["function"].get(name, "")

    def whole(self, prefix: str) -> list[ToolCall]:
        """The calls in their order; one that the server gave no id gets one."""
        return [
            ToolCall(one["id"] or f"call_{prefix}{number}", one["name"], one["arguments"])
            for number, one in sorted(self.parts.items())
            if one["name"]
        ]


@dataclass(frozen=True)
class Piece:
    """What can be sent, as `answering.Piece`; ``logprobs`` are of its tokens, as OpenAI tells them."""

    text: str
    logprobs: Sequence[Mapping[str, Any]] = ()
    calls: Sequence[ToolCall] = ()


class Relaying:
    """One answer on its way, to be read as `answering.Answering` is."""

    confidence = None

    def __init__(self, served: ServedChat, call: Call, asked: Relayed, number: int) -> None:
        self._served = served
        self._call = call
        self._asked = asked
        self._fields = {**asked.fields, "seed": nth(asked.sampling, number).seed}
        self._guard = served.site.guard
        self._window = self._guard.around(call.exchange, asked.task)
        self._written: list[str] = []
        self._growing = GrowingText(lambda _: "".join(self._written), asked.request.stops)
        self._parts = _CallsInParts()
        self._logprobs: list[Mapping[str, Any]] = []
        self._usage = Usage()
        self.finish_reason = "length"
        self.calls: list[ToolCall] = []
        self.text = ""
        self._stopped: Stopped | None = None

    @property
    def prompt_tokens(self) -> int:
        """As the upstream counts them, else our own tokenizer."""
        return len(self._asked.prompt) if self._usage.prompt is None else self._usage.prompt

    @property
    def completion_tokens(self) -> int:
        """As the upstream counts them, else one for each piece."""
        return len(self._written) if self._usage.completion is None else self._usage.completion

    @property
    def fits_schema(self) -> bool | None:
        """Whether the answer is JSON of the goal's schema, as of `fits_goal`."""
        if self.calls or self.finish_reason == "content_filter":
            return None
        return fits_goal(self._served.version, self._asked.sampling.schema, self.text)

    def entries(self, piece: Piece | None = None) -> list[Mapping[str, Any]]:
        """The tokens of a piece, or of the whole answer, as chat tells them."""
        return list(self._logprobs if piece is None else piece.logprobs)

    async def pieces(self) -> AsyncIterator[Piece]:
        """What may leave. Tool calls come last and whole."""
        async with aclosing(self._read()) as written:
            async for text, logprobs in written:
                yield self._out(self._window.add(text), logprobs)
                if self._window.stopped:
                    break
        if (stopped := self._window.stopped) is None:
            text = await self._window.end()
            more, stopped = ("", self._window.stopped) if self._window.stopped else await self._take_calls()
            yield replace(self._out(text + more), calls=self.calls)
        if stopped is not None:
            self._stopped = stopped
            self.finish_reason = "content_filter"
            self._call.exchange.actions.append(stopped.action)
            yield self._out(f"\n\n{stopped.text}" if self.text else stopped.text)
        elif self.finish_reason == "tool_calls" and not self.calls:
            self.finish_reason = "stop"
        self._call.settle(self.prompt_tokens, len(self._written), self.completion_tokens)

    def _out(self, text: str, logprobs: Sequence[Mapping[str, Any]] = ()) -> Piece:
        self.text += text
        return Piece(text, logprobs)

    async def _read(self) -> AsyncGenerator[tuple[str, Sequence[Mapping[str, Any]]]]:
        """What each piece lets out of the text that the upstream writes."""
        written = self._served.engine.write(self._asked.messages, self._fields)
        async with aclosing(written):  # type: ignore[type-var]
            async for piece in written:
                self._parts.add(piece.calls)
                self._logprobs += piece.logprobs
                if piece.text or piece.calls:
                    self._call.token_written()
                    self._written.append(piece.text)
                    yield self._growing.add(len(self._written)), piece.logprobs
                if self._growing.stopped:
                    self.finish_reason = "stop"
                    return
                if piece.reason is not None:
                    self.finish_reason, self._usage = piece.reason, piece.usage
        yield self._growing.end(), ()

    async def _take_calls(self) -> tuple[str, Stopped | None]:
        """What the rules leave of the calls: the texts of those that are none any more, and what stops all."""
        calls = self._parts.whole(self._call.exchange.id.removeprefix("req-"))
        self.calls, text, stopped = await held_to_rules(self._guard, self._call.exchange, self._asked.task, calls)
        return text, stopped

    async def whole(self) -> Relaying:
        async for _ in self.pieces():
            pass
        if self._stopped is not None:
            self.text = self._stopped.text
        return self


#: Of a model that is asked by messages.
BY_MESSAGES = Way(prepare, Relaying)
