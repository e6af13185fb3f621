"""POST /v1/completions: a bare text goes on, without the chat template."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from tunesmith.deployment.exchange import Exchange
from tunesmith.deployment.guard import Stopped, Task
from tunesmith.example import Message
from tunesmith.generation import WrittenToken
from tunesmith.server.answering import Answering
from tunesmith.server.call import Call
from tunesmith.server.chat import head_of, note, usage_of
from tunesmith.server.chat_prompts import check_logprobs, nth, sampling_of
from tunesmith.server.concluding import comes_whole, conclude, reply_instead
from tunesmith.server.refusal import Refusal
from tunesmith.server.requests import CompletionRequest
from tunesmith.server.served import ServedText, in_tokens, room_for

#: What OpenAI writes when max_tokens is absent.
MAX_TOKENS = 16


@dataclass(frozen=True)
class Asked:
    """One prompt in tokens, and the room that its answer has."""

    prompt: list[int]
    room: int


#: A prompt made ready, or what a rule says in the answer's place.
Ready = Asked | Stopped


async def _prompts(served: ServedText, request: CompletionRequest, call: Call) -> list[Ready]:
    """Each prompt made ready; the rules look at each by itself."""
    check_logprobs(served, request.logprobs)
    for text in request.prompts:
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise Refusal(400, "not_utf8", "the prompt holds half a surrogate pair", param="prompt")
    call.exchange.prompt = tuple(Message.of("user", text) for text in request.prompts)
    found: list[Ready] = []
    for asked in call.exchange.prompt:
        try:
            [message] = await served.site.guard.before((asked,), call.exchange)
        except Stopped as stopped:
            call.exchange.actions.append(stopped.action)
            found.append(stopped)
            continue
        prompt = await in_tokens([message.text], partial(served.codec.of_text, message.text))
        if not prompt:
            raise Refusal(400, "no_question", "the prompt is empty", param="prompt")
        room = room_for(served, len(prompt), request.max_tokens, call.key.limits.tokens_a_request)
        found.append(Asked(prompt, min(room, request.max_tokens or MAX_TOKENS)))
    call.read(sum(len(one.prompt) for one in found if isinstance(one, Asked)))
    return found


def _answerings(
    served: ServedText, request: CompletionRequest, call: Call, prompts: Sequence[Ready]
) -> list[Answering | Stopped]:
    """In OpenAI's order: all choices of the first prompt, then those of the next."""
    task = Task(served.version.goal)
    return [
        one
        if isinstance(one, Stopped)
        else Answering(
            served,
            call,
            one.prompt,
            nth(sampling_of(request, one.room, top=request.logprobs or 0), number),
            task,
            request.stops,
            strip=False,
        )
        for one in prompts
        for number in range(request.n or 1)
    ]


async def complete(served: ServedText, request: CompletionRequest, call: Call) -> dict[str, Any]:
    """The answers in one piece."""
    head = head_of(served, call, "text_completion", "cmpl")
    answers = _answerings(served, request, call, await _prompts(served, request, call))
    written = [answer for answer in answers if isinstance(answer, Answering)]
    if written:
        async with call.turn(served.gate):
            for one in written:
                await one.whole()
    choices: list[dict[str, Any]] = []
    for number, answer in enumerate(answers):
        if isinstance(answer, Stopped):
            choices.append(await _told_by_rule(served, request, call, number, answer))
            continue
        marked = await _concluded(served, request, call, number, answer)
        reply = None if answer.finish_reason == "content_filter" and answer.text else reply_instead(served, marked)
        told = _logprobs(served, request, answer.tokens) if reply is None else None
        text, reason = (answer.text, answer.finish_reason) if reply is None else (reply, "stop")
        choices.append({**_choice(number, text, told, reason), "tunesmith": marked})
    usage = usage_of(call.exchange.prompt_tokens, sum(len(answer.tokens) for answer in written))
    return {**head, "choices": choices, "usage": usage}


async def stream(served: ServedText, request: CompletionRequest, call: Call) -> AsyncIterator[dict[str, Any]]:
    """The answers in chunks."""
    head = head_of(served, call, "text_completion", "cmpl")
    call.exchange.stream = True
    if comes_whole(served):
        for chunk in _in_chunks(request, await complete(served, request, call)):
            yield chunk
        return
    answers = _answerings(served, request, call, await _prompts(served, request, call))
    for number, answer in enumerate(answers):
        if isinstance(answer, Stopped):
            yield {**head, "choices": [await _told_by_rule(served, request, call, number, answer)]}
    written = [(number, answer) for number, answer in enumerate(answers) if isinstance(answer, Answering)]
    async with call.turn(served.gate) if written else nullcontext():
        for number, answer in written:
            async for piece in answer.pieces():
                told = _logprobs(served, request, [piece.token] if piece.token else [])
                if piece.text or (told and told["tokens"]):
                    yield {**head, "choices": [_choice(number, piece.text, told, None)]}
    for number, answer in written:  # while the next in the queue has its turn
        marked = await _concluded(served, request, call, number, answer)
        yield {**head, "choices": [_choice(number, "", None, answer.finish_reason)], "tunesmith": marked}
    if request.stream_options and request.stream_options.include_usage:
        tokens = sum(len(answer.tokens) for _, answer in written)
        yield {**head, "choices": [], "usage": usage_of(call.exchange.prompt_tokens, tokens)}


async def _concluded(
    served: ServedText, request: CompletionRequest, call: Call, number: int, answer: Answering
) -> dict[str, Any]:
    """The marks of one answer."""
    note(call, answer)
    about = _about(request, call, number, answer.text, answer.confidence)
    return await conclude(served, call, answer.confidence, about=about)


def _about(request: CompletionRequest, call: Call, number: int, text: str, confidence: float | None) -> Exchange | None:
    """Of several prompts each is handed off by itself."""
    if len(request.prompts) == 1:
        return None
    place = number // (request.n or 1)
    id, asked = f"{call.exchange.id}/{place}", (call.exchange.prompt[place],)
    return replace(call.exchange, id=id, prompt=asked, answers=[text], confidence=confidence)


def _in_chunks(request: CompletionRequest, answer: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Answers that are whole already as the chunks of a stream."""
    head = {**answer}
    usage, choices = head.pop("usage"), head.pop("choices")
    for choice in choices:
        marked = choice.pop("tunesmith")
        yield {**head, "choices": [{**choice, "finish_reason": None}]}
        last = _choice(choice["index"], "", None, choice["finish_reason"])
        yield {**head, "choices": [last], "tunesmith": marked}
    if request.stream_options and request.stream_options.include_usage:
        yield {**head, "choices": [], "usage": usage}


async def _told_by_rule(
    served: ServedText, request: CompletionRequest, call: Call, number: int, stopped: Stopped
) -> dict[str, Any]:
    """The choice that a client gets where a rule answers in the model's place."""
    call.exchange.answers.append(stopped.text)
    call.exchange.finish_reason = "content_filter"
    marked = await conclude(served, call, None, about=_about(request, call, number, stopped.text, None))
    text = stopped.text or reply_instead(served, marked) or ""
    return {**_choice(number, text, None, "content_filter"), "tunesmith": marked}


def _choice(number: int, text: str, logprobs: Any, reason: str | None) -> dict[str, Any]:
    return {"index": number, "text": text, "logprobs": logprobs, "finish_reason": reason}


def _logprobs(served: ServedText, request: CompletionRequest, tokens: Sequence[WrittenToken]) -> dict[str, Any] | None:
    if request.logprobs is None:
        return None
    pieces = [served.codec.piece(token.id) for token in tokens]
    offsets = [sum(map(len, pieces[:number])) for number in range(len(pieces))]
    return {
        "tokens": pieces,
        "token_logprobs": [token.log_probability for token in tokens],
        "top_logprobs": [{served.codec.piece(id): value for id, value in token.top} for token in tokens],
        "text_offset": offsets,
    }
