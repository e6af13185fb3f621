"""POST /v1/chat/completions of a model that is at another server, asked by messages: its answer is passed on.

Keys, limits, rules, people and records are this server's; the prompt in tokens, tool calls and the count of tokens are
the other's.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from tunesmith.deployment.guard import Stopped, Task
from tunesmith.engines.upstream_chat import Usage, messages_of
from tunesmith.example import Message
from tunesmith.server.answering import fits
from tunesmith.server.call import Call
from tunesmith.server.chat import (
    Asked,
    check_logprobs,
    chunk_of,
    head_of,
    in_chunks,
    note,
    nth,
    sampling_of,
    seen,
    task_of,
    told_by_rule,
    usage_of,
)
from tunesmith.server.concluding import comes_whole, conclude, reply_instead
from tunesmith.server.conversation import calls_tools, text_of_call, texts_of, turns_of, with_texts
from tunesmith.server.growing_text import GrowingText
from tunesmith.server.leaving import Leaving
from tunesmith.server.requests import ChatRequest, schema_of
from tunesmith.server.served import ServedChat, in_tokens, room_for
from tunesmith.tool_calls import ToolCall, Tools, Turn

#: Stops that every such server takes; here all are kept to.
STOPS_SENT = 4


@dataclass(frozen=True)
class Ready:
    """A request made ready: ``asked`` as of a model that is here, and ``messages`` and ``fields`` for the upstream."""

    asked: Asked
    messages: Sequence[Mapping[str, Any]]
    fields: Mapping[str, Any]


async def prepare(served: ServedChat, request: ChatRequest, call: Call, head: dict[str, Any]) -> Ready:
    check_logprobs(served, request.logprobs)
    turns, tools = turns_of(request.messages), request.asked_tools
    texts = await seen(served, call, texts_of(turns))
    turns = with_texts(turns, texts)
    with_calls = calls_tools(turns)
    own = turns[0].role == "system"

    def put() -> tuple[list[int], tuple[Message, ...]]:
        """The tokens that our own tokenizer counts, and the messages as the set-up in use puts them."""
        given = served.prepare(texts) if served.prepare and not with_calls else texts
        if with_calls:  # the template may have no place for them
            return served.codec.of_text("\n".join(message.text for message in texts)), given
        return served.codec.of_messages(given), given

    prompt, given = await in_tokens([one.text for one in texts], put, slow=served.prepare is not None)
    wanted = request.max_completion_tokens or request.max_tokens
    room = room_for(served, len(prompt), wanted, call.key.limits.tokens_a_request)
    format = request.response_format
    schema = served.schema if format is None else schema_of(format, served.version.goal.schema)
    sampling = sampling_of(request, room, schema=schema, top=request.top_logprobs or 0)
    due = served.version.goal.schema if format is None else schema
    task = Task(served.version.goal, due) if with_calls else task_of(served, texts, given, due)
    call.read(len(prompt))
    asked = Asked(request, prompt, sampling, task, head, {"system": "request" if own else "goal"})
    messages = [_told(turn) for turn in turns] if with_calls else messages_of("", given)
    system = (served.version.setup.system if served.version.setup else None) or served.version.goal.system
    if not own and system:
        messages = [{"role": "system", "content": system}, *messages]
    return Ready(asked, messages, _fields(request, asked, tools))


def _told(turn: Turn) -> dict[str, Any]:
    """One message as OpenAI has it."""
    calls = {"tool_calls": [call.told for call in turn.calls]} if turn.calls else {}
    reply = {"tool_call_id": turn.call_id} if turn.call_id is not None else {}
    return {"role": turn.role, "content": turn.text or (None if calls else ""), **calls, **reply}


def _fields(request: ChatRequest, asked: Asked, tools: Tools | None) -> dict[str, Any]:
    """What is asked for besides; what is None is not sent."""
    sampling = asked.sampling
    own = request.response_format.json_schema if request.response_format else None
    strict = {"strict": own.strict} if own is not None and own.strict is not None else {}
    named = {"name": own.name if own else "answer", "schema": sampling.schema, **strict}
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
        "response_format": None if sampling.schema is None else {"type": "json_schema", "json_schema": named},
        "logprobs": request.logprobs or None,
        "top_logprobs": request.top_logprobs or None,
        **more,
    }


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


#: Of tokens, as OpenAI tells them.
LogProbabilities = Sequence[Mapping[str, Any]]


class Relaying:
    """One answer on its way, as `answering.Answering` is: read `pieces` to the end, then the rest of it is known."""

    confidence = None

    def __init__(self, served: ServedChat, call: Call, ready: Ready, number: int) -> None:
        self._served = served
        self._call = call
        self._ready = ready
        sampling = nth(ready.asked.sampling, number)
        self._fields = {**ready.fields, "seed": sampling.seed}
        self._guard = served.site.guard
        self._leaving = Leaving(self._guard.around(call.exchange, ready.asked.task), call.exchange)
        self._written: list[str] = []
        self._growing = GrowingText(lambda _: "".join(self._written), ready.asked.request.stops)
        self._parts = _CallsInParts()
        self._usage = Usage()
        self.finish_reason = "length"
        self.calls: list[ToolCall] = []
        self.logprobs: list[Mapping[str, Any]] = []

    @property
    def text(self) -> str:
        return self._leaving.text

    @property
    def completion_tokens(self) -> int:
        """As the upstream counts them, else one for each piece."""
        told = self._usage.completion
        return len(self._written) if told is None else told

    @property
    def prompt_tokens(self) -> int:
        return len(self._ready.asked.prompt) if self._usage.prompt is None else self._usage.prompt

    @property
    def fits_schema(self) -> bool | None:
        """Whether the answer is JSON of the goal's schema, as of `Answering`."""
        goal, schema = self._served.version.goal, self._ready.asked.sampling.schema
        asked = goal.output == "json" and goal.schema is not None and schema in (None, goal.schema)
        if not asked or self.calls or self.finish_reason == "content_filter":
            return None
        return fits(self._served.version.full_name, goal.schema or {}, self.text)

    async def pieces(self) -> AsyncGenerator[tuple[str, LogProbabilities]]:
        """What may leave, each with the log probabilities that belong to it. Tool calls come whole, in ``calls``."""
        async with aclosing(self._leaving.pieces(self._read(), ())) as pieces:
            async for piece in pieces:
                yield piece
        if self._leaving.stopped is None and (text := await self._take_calls()):
            yield text, ()
        if self._leaving.stopped is not None:
            self.finish_reason = "content_filter"
        self._call.settle(self.prompt_tokens, len(self._written), self.completion_tokens)

    async def _read(self) -> AsyncGenerator[tuple[str, LogProbabilities]]:
        """What each piece lets out of the text that the upstream writes."""
        written = self._served.engine.write(self._ready.messages, self._fields)
        async with aclosing(written):  # type: ignore[type-var]
            async for piece in written:
                self._parts.add(piece.calls)
                self.logprobs += piece.logprobs
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

    async def _take_calls(self) -> str:
        """Let the rules look at each tool call as at an answer. Returns the text of one that stops it, else nothing."""
        for call in self._parts.whole(self._call.exchange.id.removeprefix("req-")):
            window = self._guard.around(self._call.exchange, Task())
            left = window.add(text_of_call(call)) + await window.end()
            if window.stopped is not None:
                self.calls.clear()
                return self._leaving.stop(window.stopped)
            [turn] = with_texts((Turn("assistant", "", (call,)),), (Message.of("assistant", left),))
            self.calls += turn.calls
        return ""

    async def whole(self) -> Relaying:
        async for _ in self.pieces():
            pass
        if self._leaving.stopped is not None:
            self._leaving.text = self._leaving.stopped.text
        return self


async def complete(served: ServedChat, request: ChatRequest, call: Call) -> dict[str, Any]:
    """The answer in one piece."""
    head = head_of(served, call, "chat.completion", "chatcmpl")
    try:
        ready = await prepare(served, request, call, head)
    except Stopped as stopped:
        return await told_by_rule(served, call, stopped, head)
    answers = []
    async with call.turn(served.gate):
        for number in range(request.n or 1):
            answers.append(await Relaying(served, call, ready, number).whole())
    choices = [await _choice(served, ready, call, number, answer) for number, answer in enumerate(answers)]
    usage = usage_of(answers[0].prompt_tokens, sum(answer.completion_tokens for answer in answers))
    return {**head, "choices": choices, "usage": usage, "tunesmith": choices[0]["tunesmith"]}


async def _choice(served: ServedChat, ready: Ready, call: Call, number: int, answer: Relaying) -> dict[str, Any]:
    note(call, answer)
    marked = await conclude(served, call, None, **ready.asked.marked)
    # the text of a rule stands before the one for all hand-offs
    reply = None if answer.finish_reason == "content_filter" and answer.text else reply_instead(served, marked)
    calls = {"tool_calls": [one.told for one in answer.calls]} if answer.calls and reply is None else {}
    content = (answer.text or (None if calls else "")) if reply is None else reply
    told = {"content": answer.logprobs, "refusal": None} if ready.asked.request.logprobs and reply is None else None
    return {
        "index": number,
        "message": {"role": "assistant", "content": content, "refusal": None, **calls},
        "logprobs": told,
        "finish_reason": answer.finish_reason if reply is None else "stop",
        "tunesmith": marked,
    }


async def stream(served: ServedChat, request: ChatRequest, call: Call) -> AsyncIterator[dict[str, Any]]:
    """The answer in chunks; the last of each choice has its reason to finish and our marks."""
    head = head_of(served, call, "chat.completion.chunk", "chatcmpl")
    call.exchange.stream = True
    if comes_whole(served):
        for chunk in in_chunks(request, await complete(served, request, call)):
            yield chunk
        return
    try:
        ready = await prepare(served, request, call, head)
    except Stopped as stopped:
        for chunk in in_chunks(request, await told_by_rule(served, call, stopped, head)):
            yield chunk
        return
    answers = []
    async with call.turn(served.gate):
        for number in range(request.n or 1):
            answer = Relaying(served, call, ready, number)
            answers.append(answer)
            begun = False
            async with aclosing(answer.pieces()) as pieces:
                async for text, logprobs in pieces:
                    if not begun:
                        begun = True
                        yield chunk_of(ready.asked, number, {"role": "assistant", "content": ""})
                    told = {"content": list(logprobs)} if request.logprobs and logprobs else None
                    if text or told:
                        yield chunk_of(ready.asked, number, {"content": text}, told)
            for place, one in enumerate(answer.calls):
                yield chunk_of(ready.asked, number, {"tool_calls": [{"index": place, **one.told}]})
            note(call, answer)
            marked = await conclude(served, call, None, **ready.asked.marked)
            yield {**chunk_of(ready.asked, number, {}, reason=answer.finish_reason), "tunesmith": marked}
    if request.stream_options and request.stream_options.include_usage:
        written = sum(answer.completion_tokens for answer in answers)
        yield {**head, "choices": [], "usage": usage_of(answers[0].prompt_tokens, written)}
