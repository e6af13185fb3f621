"""Answers by token ids from a server with OpenAI's /completions: vLLM's, and llama.cpp's `llama-server`.

The prompt is sent as token ids, so that nobody else's chat template or tokenizer comes between. vLLM tells the ids of
what it writes with `return_token_ids` and, in log probabilities, `return_tokens_as_token_ids`:
https://docs.vllm.ai/en/latest/api/vllm/entrypoints/openai/completion/protocol/ . llama.cpp tells them in its log
probabilities: https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md .
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

from tunesmith.engines.upstream import REST_SECONDS, UpstreamError, Wire
from tunesmith.generation import Sampling, WrittenToken

PATH = "/completions"
#: What is said of a server that can be asked by messages alone.
TELLS_NO_IDS = "does not tell the ids of"
_ID = "token_id:"


def body_of(model: str, options: Mapping[str, Any], prompt: Sequence[int], sampling: Sampling) -> dict[str, Any]:
    """The request. What a model's own `generation_config` may set otherwise is set to nothing."""
    greedy = sampling.temperature == 0
    named = {"name": "answer", "schema": sampling.schema}
    plain = {
        "model": model,
        "prompt": list(prompt),
        "max_tokens": sampling.max_tokens,
        "stream": True,
        "temperature": sampling.temperature,
        "top_p": 1.0 if greedy else sampling.top_p,
        "top_k": -1,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "seed": None if sampling.seed is None else sampling.seed % 2**32,
        "logprobs": max(1, sampling.top),
        "return_token_ids": True,
        "return_tokens_as_token_ids": True,
        "response_format": None if sampling.schema is None else {"type": "json_schema", "json_schema": named},
    }
    return {name: value for name, value in {**plain, **options}.items() if value is not None}


async def write(wire: Wire, prompt: Sequence[int], sampling: Sampling, end: int) -> AsyncGenerator[WrittenToken]:
    """The answer token by token, the end token ``end`` last unless the limit comes first. Raises UpstreamError."""
    endpoint = wire.upstream.endpoint
    body = body_of(endpoint.model, endpoint.options, prompt, sampling)
    written = 0
    last: WrittenToken | None = None
    async with aclosing(wire.events(PATH, body)) as events:
        async for event in events:
            part = _read(event, prompt, sampling.top, end)
            for token in part.tokens[: sampling.max_tokens - written]:
                written += 1
                if token.is_end:
                    last = token
                    break
                yield token
            if part.reason is None and last is None and written < sampling.max_tokens:
                continue
            if part.reason not in (None, "stop", "length"):
                raise UpstreamError("upstream_down", f"the upstream gave the answer up ({str(part.reason)[:40]!r})")
            if part.reason == "stop" and last is None:
                last = WrittenToken(end, 0.0, is_end=True)
                written += 1
            rest = await read_rest(events)
            if written < max(_counted(one) for one in (event, *rest)):
                of_all = "all its tokens (llama.cpp of the last of a character alone)"
                raise UpstreamError("upstream_odd", f"the upstream {TELLS_NO_IDS} {of_all}")
            if last is not None:
                yield last
            return
    raise UpstreamError("upstream_down", "the upstream broke the answer off")


async def read_rest(events: AsyncGenerator[dict[str, Any]]) -> list[dict[str, Any]]:
    """What comes behind the end of an answer, as far as it comes soon."""
    found = []
    with suppress(UpstreamError, TimeoutError):
        async with asyncio.timeout(REST_SECONDS):
            async for event in events:
                found.append(event)
    return found


def _counted(event: Mapping[str, Any]) -> int:
    """How many tokens the server says that it wrote, 0 where it does not."""
    try:
        return int((event.get("usage") or {}).get("completion_tokens") or 0)
    except (TypeError, ValueError, AttributeError):
        return 0


@dataclass(frozen=True)
class _Part:
    """What one event brought: tokens, and why the answer ends, None where it goes on."""

    tokens: list[WrittenToken]
    reason: Any


def _read(event: Mapping[str, Any], prompt: Sequence[int], top: int, end: int) -> _Part:
    """Raises UpstreamError for an event that is no part of a completion, or tells no token ids."""
    try:
        choices = event.get("choices") or ()
        if not choices:
            return _Part([], None)
        [choice] = choices
        told = choice.get("prompt_token_ids")
        if told is not None and list(told) != list(prompt):
            raise UpstreamError("upstream_odd", "the upstream answers another prompt than it was sent")
        stop = choice.get("stop_reason")
        ends = {end, stop} if isinstance(stop, int) else {end}
        return _Part(_tokens(choice, top, ends), choice.get("finish_reason"))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise UpstreamError("upstream_odd", "the upstream answers with something else than a completion") from error


def _tokens(choice: Mapping[str, Any], top: int, ends: set[int]) -> list[WrittenToken]:
    known = choice.get("logprobs") or {}
    if known.get("content") is not None:  # as llama.cpp tells them
        return [
            _token(
                one["id"], one["logprob"], [(each["id"], each["logprob"]) for each in one["top_logprobs"]], top, ends
            )
            for one in known["content"]
        ]
    names = known.get("tokens") or []
    ids = choice.get("token_ids")
    ids = [_id_of(name) for name in names] if ids is None else ids
    if not ids and choice["text"]:
        raise UpstreamError("upstream_odd", f"the upstream {TELLS_NO_IDS} its tokens")
    if not names:
        return [_token(id, 0.0, [], top, ends) for id in ids]
    likely = known.get("top_logprobs") or [None] * len(ids)
    return [
        _token(id, value, [(_id_of(name), one) for name, one in (others or {}).items()], top, ends)
        for id, value, others in zip(ids, known["token_logprobs"], likely, strict=True)
    ]


def _id_of(name: str) -> int:
    if not name.startswith(_ID):
        raise UpstreamError("upstream_odd", f"the upstream {TELLS_NO_IDS} its tokens")
    return int(name.removeprefix(_ID))


def _token(id: int, value: float | None, others: Sequence[tuple[int, float]], top: int, ends: set[int]) -> WrittenToken:
    ranked = sorted(((int(one), float(each)) for one, each in others), key=lambda pair: -pair[1])[:top]
    return WrittenToken(int(id), float(value or 0.0), tuple(ranked), int(id) in ends)
