"""POST /v1/chat/completions: an answer of a language model, or a classifier's label."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tunesmith.deployment.guard import Stopped
from tunesmith.server.answering import Answering
from tunesmith.server.call import Call
from tunesmith.server.chat_prompts import Asked, nth, prepare, seen
from tunesmith.server.concluding import comes_whole, conclude, reply_instead
from tunesmith.server.conversation import prompt_of, text_of_call
from tunesmith.server.keys import Key
from tunesmith.server.refusal import Refusal
from tunesmith.server.requests import ChatRequest
from tunesmith.server.served import Served, ServedLabels, ServedText, in_tokens

#: The least probability that a label is said to have, for its logarithm.
TINY = 1e-12


def head_of(served: Served, call: Call, kind: str, prefix: str) -> dict[str, Any]:
    """What every answer begins with. Its id is that of the request but for the prefix, so that both name the same."""
    return {
        "id": f"{prefix}-{call.exchange.id.removeprefix('req-')}",
        "object": kind,
        "created": int(time.time()),
        "model": served.version.full_name,
        "system_fingerprint": f"tunesmith-{served.version.id}",
    }


def usage_of(prompt: int, completion: int) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def answering_of(served: ServedText, call: Call, asked: Asked, number: int) -> Answering:
    """The answer of this number, to be read."""
    sampling, stops = nth(asked.sampling, number), asked.request.stops
    return Answering(served, call, asked.prompt, sampling, asked.task, stops, tools=asked.tools)


async def told_by_rule(served: Served, call: Call, stopped: Stopped, head: dict[str, Any]) -> dict[str, Any]:
    """What a client gets where a rule answers in the model's place."""
    exchange = call.exchange
    exchange.actions.append(stopped.action)
    exchange.answers.append(stopped.text)
    exchange.finish_reason = "content_filter"
    marked = await conclude(served, call, None)
    content = stopped.text or reply_instead(served, marked) or ""
    message = {"role": "assistant", "content": content, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "content_filter", "tunesmith": marked}
    return {**head, "choices": [choice], "usage": usage_of(exchange.prompt_tokens, 0), "tunesmith": marked}


@dataclass(frozen=True)
class Way:
    """How a kind of model is asked: ``prepare`` makes a request ready, ``answering`` gives its answers to be read."""

    prepare: Callable[[Any, ChatRequest, Call, dict[str, Any]], Awaitable[Asked]]
    answering: Callable[[Any, Call, Any, int], Any]


#: Of a model that is asked by token ids.
BY_TOKENS = Way(prepare, answering_of)


async def complete(served: Served, request: ChatRequest, call: Call, way: Way = BY_TOKENS) -> dict[str, Any]:
    """The answer in one piece."""
    head = head_of(served, call, "chat.completion", "chatcmpl")
    try:
        asked = await way.prepare(served, request, call, head)
    except Stopped as stopped:
        return await told_by_rule(served, call, stopped, head)
    answers = []
    async with call.turn(served.gate):
        for number in range(request.n or 1):
            answers.append(await way.answering(served, call, asked, number).whole())
    choices = [await _choice(served, asked, call, number, answer) for number, answer in enumerate(answers)]
    usage = usage_of(answers[0].prompt_tokens, sum(answer.completion_tokens for answer in answers))
    return {**asked.head, "choices": choices, "usage": usage, "tunesmith": choices[0]["tunesmith"]}


async def _choice(served: Served, asked: Asked, call: Call, number: int, answer: Any) -> dict[str, Any]:
    note(call, answer)
    marked = await conclude(served, call, answer.confidence, **asked.marked)
    # the text of a rule stands before the one for all hand-offs
    reply = None if answer.finish_reason == "content_filter" and answer.text else reply_instead(served, marked)
    calls = {"tool_calls": [one.told for one in answer.calls]} if answer.calls and reply is None else {}
    content = (answer.text or (None if calls else "")) if reply is None else reply
    return {
        "index": number,
        "message": {"role": "assistant", "content": content, "refusal": None, **calls},
        "logprobs": _logprobs(asked.request, answer) if reply is None else None,
        "finish_reason": answer.finish_reason if reply is None else "stop",
        "tunesmith": marked,
    }


def note(call: Call, answer: Any) -> None:
    """Keep what was answered for those who look at what came of the request."""
    said = [answer.text] if answer.text or not answer.calls else []
    call.exchange.answers.append("\n".join([*said, *map(text_of_call, answer.calls)]))
    call.exchange.finish_reason = call.exchange.finish_reason or answer.finish_reason
    if call.exchange.fits_schema is not False:  # of several answers all must fit
        call.exchange.fits_schema = answer.fits_schema


def _logprobs(request: ChatRequest, answer: Any) -> dict[str, Any] | None:
    return {"content": answer.entries(), "refusal": None} if request.logprobs else None


async def stream(
    served: Served, request: ChatRequest, call: Call, way: Way = BY_TOKENS
) -> AsyncIterator[dict[str, Any]]:
    """The answer in chunks; the last of each choice has its reason to finish and our marks."""
    head = head_of(served, call, "chat.completion.chunk", "chatcmpl")
    call.exchange.stream = True
    if comes_whole(served):
        for chunk in in_chunks(request, await complete(served, request, call, way)):
            yield chunk
        return
    try:
        asked = await way.prepare(served, request, call, head)
    except Stopped as stopped:
        for chunk in in_chunks(request, await told_by_rule(served, call, stopped, head)):
            yield chunk
        return
    answers: list[Any] = []
    async with call.turn(served.gate):
        for number in range(request.n or 1):
            answering = way.answering(served, call, asked, number)
            answers.append(answering)
            begun, calls = False, 0
            async for piece in answering.pieces():
                if not begun:
                    begun = True
                    yield _chunk(asked, number, {"role": "assistant", "content": None if asked.tools else ""})
                entries = answering.entries(piece) if request.logprobs else []
                if piece.text or entries:
                    yield _chunk(asked, number, {"content": piece.text}, {"content": entries} if entries else None)
                for one in piece.calls:
                    yield _chunk(asked, number, {"tool_calls": [{"index": calls, **one.told}]})
                    calls += 1
    for number, answering in enumerate(answers):  # while the next in the queue has its turn
        note(call, answering)
        marked = await conclude(served, call, answering.confidence, **asked.marked)
        yield {**_chunk(asked, number, {}, reason=answering.finish_reason), "tunesmith": marked}
    if request.stream_options and request.stream_options.include_usage:
        written = sum(answer.completion_tokens for answer in answers)
        yield {**asked.head, "choices": [], "usage": usage_of(answers[0].prompt_tokens, written)}


def _chunk(
    asked: Asked, number: int, delta: dict[str, Any], logprobs: Any = None, reason: str | None = None
) -> dict[str, Any]:
    choice = {"index": number, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
    usage = {"usage": None} if asked.request.stream_options and asked.request.stream_options.include_usage else {}
    return {**asked.head, "choices": [choice], **usage}


async def label(served: ServedLabels, request: ChatRequest, call: Call) -> dict[str, Any]:
    """A classifier's label as the content of a message; ``logprobs`` tells those of the other labels."""
    if request.response_format is not None and request.response_format.type != "text":
        what = "this model answers with a label: leave response_format out, or ask /v1/classifications"
        raise Refusal(400, "not_served", what, param="response_format")
    head = head_of(served, call, "chat.completion", "chatcmpl")
    try:
        messages = await seen(served, call, prompt_of(request.messages, request.asked_tools))
    except Stopped as stopped:
        return await told_by_rule(served, call, stopped, head)
    texts = [message.text for message in messages]
    row = await in_tokens(texts, lambda: served.engine.labeller.tokens(messages))
    check_tokens(len(row), call.key)
    call.read(len(row))
    async with call.turn(served.gate):
        [scored] = await served.engine.score([row])
    call.token_written()
    ranked = sorted(zip(served.version.goal.labels, scored.probabilities, strict=True), key=lambda pair: -pair[1])
    best, confidence = ranked[0]
    call.exchange.label = best
    call.exchange.answers.append(best)
    call.exchange.finish_reason = "stop"
    entries = [
        {"token": name, "logprob": math.log(max(TINY, value)), "bytes": list(name.encode())} for name, value in ranked
    ]
    told = {"content": [{**entries[0], "top_logprobs": entries[: request.top_logprobs or 0]}], "refusal": None}
    marked = await conclude(served, call, confidence)
    reply = reply_instead(served, marked)
    choices = [
        {
            "index": number,
            "message": {"role": "assistant", "content": best if reply is None else reply, "refusal": None},
            "logprobs": told if request.logprobs and reply is None else None,
            "finish_reason": "stop",
            "tunesmith": marked,
        }
        for number in range(request.n or 1)
    ]
    return {**head, "choices": choices, "usage": usage_of(len(row), 1), "tunesmith": marked}


async def stream_label(served: ServedLabels, request: ChatRequest, call: Call) -> AsyncIterator[dict[str, Any]]:
    """The same in the chunks that clients of streams wait for."""
    call.exchange.stream = True
    for chunk in in_chunks(request, await label(served, request, call)):
        yield chunk


def in_chunks(request: ChatRequest, answer: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """An answer that is whole already as the chunks of a stream."""
    head = {**answer, "object": "chat.completion.chunk"}
    usage, marked, choices = head.pop("usage"), head.pop("tunesmith"), head.pop("choices")
    for choice in choices:
        at = {"index": choice["index"]}
        delta = {"role": "assistant", "content": choice["message"]["content"]}
        if calls := choice["message"].get("tool_calls"):
            delta["tool_calls"] = [{"index": number, **one} for number, one in enumerate(calls)]
        yield {**head, "choices": [{**at, "delta": delta, "logprobs": choice["logprobs"], "finish_reason": None}]}
        last = {**at, "delta": {}, "logprobs": None, "finish_reason": choice["finish_reason"]}
        yield {**head, "choices": [last], "tunesmith": choice.get("tunesmith", marked)}
    if request.stream_options and request.stream_options.include_usage:
        yield {**head, "choices": [], "usage": usage}


def check_tokens(tokens: int, key: Key) -> None:
    """Raises Refusal ``too_many_tokens``."""
    allowed = key.limits.tokens_a_request
    if allowed is not None and tokens > allowed:
        what = f"this key may use {allowed:,} tokens a request, and this one has {tokens:,}"
        raise Refusal(400, "too_many_tokens", what)
