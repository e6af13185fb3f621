"""POST /v1/completions: a bare text goes on, without the chat template."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from tunesmith.generation import WrittenToken
from tunesmith.server.answering import Answering
from tunesmith.server.chat import head_of, nth, sampling_of, usage_of
from tunesmith.server.keys import Key
from tunesmith.server.refusal import Refusal
from tunesmith.server.requests import CompletionRequest
from tunesmith.server.served import ServedText, in_tokens, marks, room_for

#: What OpenAI writes when max_tokens is absent.
MAX_TOKENS = 16


async def _prompts(served: ServedText, request: CompletionRequest, key: Key) -> list[tuple[list[int], int]]:
    """Each prompt in tokens, with the room that its answer has."""
    found = []
    for text in request.prompts:
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise Refusal(400, "not_utf8", "the prompt holds half a surrogate pair", param="prompt")
        prompt = await in_tokens([text], lambda text=text: served.codec.of_text(text))  # type: ignore[misc]
        if not prompt:
            raise Refusal(400, "no_question", "the prompt is empty", param="prompt")
        room = room_for(served, len(prompt), request.max_tokens, key.limits.tokens_a_request)
        found.append((prompt, min(room, request.max_tokens or MAX_TOKENS)))
    return found


def _answerings(
    served: ServedText, request: CompletionRequest, prompts: Sequence[tuple[list[int], int]]
) -> list[Answering]:
    """In OpenAI's order: all choices of the first prompt, then those of the next."""
    return [
        Answering(
            served,
            prompt,
            nth(sampling_of(request, room, top=request.logprobs or 0), number),
            request.stops,
            strip=False,
        )
        for prompt, room in prompts
        for number in range(request.n or 1)
    ]


async def complete(served: ServedText, request: CompletionRequest, key: Key) -> dict[str, Any]:
    """The answers in one piece."""
    prompts = await _prompts(served, request, key)
    answers = _answerings(served, request, prompts)
    async with served.gate.turn(key.name):
        for answer in answers:
            await answer.whole()
    choices = [
        {
            "index": number,
            "text": answer.text,
            "logprobs": _logprobs(served, request, answer.tokens),
            "finish_reason": answer.finish_reason,
            "tunesmith": marks(served.version, answer.confidence),
        }
        for number, answer in enumerate(answers)
    ]
    usage = usage_of(sum(len(prompt) for prompt, _ in prompts), sum(len(answer.tokens) for answer in answers))
    return {**head_of(served, "text_completion", "cmpl"), "choices": choices, "usage": usage}


async def stream(served: ServedText, request: CompletionRequest, key: Key) -> AsyncIterator[dict[str, Any]]:
    """The answers in chunks."""
    prompts = await _prompts(served, request, key)
    head = head_of(served, "text_completion", "cmpl")
    written = 0
    async with served.gate.turn(key.name):
        for number, answer in enumerate(_answerings(served, request, prompts)):
            async for piece in answer.pieces():
                told = _logprobs(served, request, [piece.token] if piece.token else [])
                if piece.text or (told and told["tokens"]):
                    yield {**head, "choices": [_choice(number, piece.text, told, None)]}
            yield {**head, "choices": [_choice(number, "", None, answer.finish_reason)]}
            written += len(answer.tokens)
    if request.stream_options and request.stream_options.include_usage:
        yield {**head, "choices": [], "usage": usage_of(sum(len(prompt) for prompt, _ in prompts), written)}


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
