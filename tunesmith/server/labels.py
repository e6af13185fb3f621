"""POST /v1/classifications and /v1/embeddings: what a tuned encoder says of texts."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tunesmith.deployment.guard import Stopped
from tunesmith.example import Message
from tunesmith.server.call import Call
from tunesmith.server.chat import check_tokens
from tunesmith.server.concluding import LOW_CONFIDENCE, hand_off, is_unsure
from tunesmith.server.engines import ScoredRow
from tunesmith.server.refusal import Refusal
from tunesmith.server.requests import ClassificationRequest, EmbeddingRequest
from tunesmith.server.served import ServedLabels, in_tokens


async def classify(served: ServedLabels, request: ClassificationRequest, call: Call) -> dict[str, Any]:
    """The likeliest label of each text, with the probabilities of all or of the likeliest few."""
    rows, found = await _scored(served, request.inputs, call, vectors=False)
    data = [await _labelled(served, request, call, number, one) for number, one in enumerate(found)]
    return _list(served, data, rows)


async def _labelled(
    served: ServedLabels, request: ClassificationRequest, call: Call, number: int, found: ScoredRow | Stopped
) -> dict[str, Any]:
    """One text's label, or the text of the rule that stopped it. Each is handed off by itself."""
    own = replace(call.exchange, prompt=(Message.of("user", request.inputs[number]),), answers=[], actions=[])
    if len(request.inputs) > 1:
        own.id = f"{own.id}/{number}"
    told: dict[str, Any] = {"object": "classification", "index": number}
    reason = None
    if isinstance(found, Stopped):
        call.exchange.actions.append(found.action)
        own.actions.append(found.action)
        reason = found.action.rule if found.action.did == "hand_off" else None
        told |= {"label": None, "probability": None, "probabilities": {}, "refusal": found.text}
    else:
        ranked = sorted(zip(served.version.goal.labels, found.probabilities, strict=True), key=lambda pair: -pair[1])
        own.label, own.confidence = ranked[0]
        own.answers.append(ranked[0][0])
        call.exchange.answers.append(ranked[0][0])
        if number == 0:
            call.exchange.label, call.exchange.confidence = ranked[0]
        reason = LOW_CONFIDENCE if is_unsure(served, ranked[0][1]) else None
        told |= {"label": ranked[0][0], "probability": ranked[0][1], "probabilities": dict(ranked[: request.top])}
    told["handed_off"] = reason is not None
    if reason is not None:
        call.exchange.handed_off = own.handed_off = True
        told["ticket"] = call.exchange.ticket = await hand_off(served, own, reason)
        if served.site.people.reply is not None:  # in place of what the model says
            nothing: dict[str, Any] = {"label": None, "probability": None, "probabilities": {}}
            told |= {**nothing, "reply": told.get("refusal") or served.site.people.reply}
    return told


async def embed(served: ServedLabels, request: EmbeddingRequest, call: Call) -> dict[str, Any]:
    """A unit vector for each text: what the tuned encoder gives its head, so texts of one label lie close together.

    Raises Refusal ``not_served`` for another number of dimensions than the encoder has, and ``refused_by_rule`` where
    a rule of the project refuses a text: there is no vector in words.
    """
    rows, found = await _scored(served, request.inputs, call, vectors=True)
    data = []
    for number, one in enumerate(found):
        if isinstance(one, Stopped):
            call.exchange.actions.append(one.action)
            raise Refusal(400, "refused_by_rule", one.text, param="input")
        width = len(one.vector)
        if request.dimensions not in (None, width):
            what = f"this model's vectors have {width} dimensions: leave dimensions out"
            raise Refusal(400, "not_served", what, param="dimensions")
        vector = _encoded(one.vector, request.encoding_format)
        data.append({"object": "embedding", "index": number, "embedding": vector})
    return _list(served, data, rows)


async def _scored(
    served: ServedLabels, texts: Sequence[str], call: Call, *, vectors: bool
) -> tuple[list[list[int]], list[ScoredRow | Stopped]]:
    """The tokens and scores of each text that the rules let through, and what stopped the others."""
    for number, text in enumerate(texts):
        if any("\ud800" <= character <= "\udfff" for character in text):
            what = f"input {number} holds half a surrogate pair, which is no character"
            raise Refusal(400, "not_utf8", what, param="input")
    call.exchange.prompt = tuple(Message.of("user", text) for text in texts)
    if len(texts) == 1:
        prompts = [await _let_through(served, call, call.exchange.prompt[0])]
    else:
        prompts = await asyncio.gather(*(_let_through(served, call, message) for message in call.exchange.prompt))
    asked = [prompt for prompt in prompts if not isinstance(prompt, Stopped)]
    rows = await in_tokens(texts, lambda: [served.engine.labeller.tokens(prompt) for prompt in asked])
    tokens = sum(map(len, rows))
    check_tokens(tokens, call.key)
    call.read(tokens)
    scores: Iterator[ScoredRow] = iter(())
    if rows:
        async with call.turn(served.gate):
            scores = iter(await served.engine.score(rows, vectors=vectors))
        call.token_written()
    return rows, [prompt if isinstance(prompt, Stopped) else next(scores) for prompt in prompts]


async def _let_through(served: ServedLabels, call: Call, message: Message) -> tuple[Message, ...] | Stopped:
    try:
        return await served.site.guard.before((message,), call.exchange)
    except Stopped as stopped:
        return stopped


def _encoded(vector: Sequence[float], form: str) -> Any:
    if form == "float":
        return list(vector)
    return base64.b64encode(np.asarray(vector, dtype="<f4").tobytes()).decode("ascii")


def _list(served: ServedLabels, data: list[dict[str, Any]], rows: Sequence[Sequence[int]]) -> dict[str, Any]:
    tokens = sum(map(len, rows))
    return {
        "object": "list",
        "created": int(time.time()),
        "model": served.version.full_name,
        "data": data,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
