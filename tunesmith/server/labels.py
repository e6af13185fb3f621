"""POST /v1/classifications and /v1/embeddings: what a tuned encoder says of texts."""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from tunesmith.example import Message
from tunesmith.server.chat import check_tokens
from tunesmith.server.engines import ScoredRow
from tunesmith.server.keys import Key
from tunesmith.server.refusal import Refusal
from tunesmith.server.requests import ClassificationRequest, EmbeddingRequest
from tunesmith.server.served import ServedLabels, in_tokens, marks


async def classify(served: ServedLabels, request: ClassificationRequest, key: Key) -> dict[str, Any]:
    """The likeliest label of each text, with the probabilities of all or of the likeliest few."""
    rows, scored = await _scored(served, request.inputs, key, vectors=False)
    labels = served.version.goal.labels
    data = []
    for number, row in enumerate(scored):
        ranked = sorted(zip(labels, row.probabilities, strict=True), key=lambda pair: -pair[1])
        best, confidence = ranked[0]
        data.append(
            {
                "object": "classification",
                "index": number,
                "label": best,
                "probability": confidence,
                "probabilities": dict(ranked[: request.top]),
                "handed_off": marks(served.version, confidence)["handed_off"],
            }
        )
    return _list(served, data, rows)


async def embed(served: ServedLabels, request: EmbeddingRequest, key: Key) -> dict[str, Any]:
    """A unit vector for each text: what the tuned encoder gives its head, so texts of one label lie close together.

    Raises Refusal ``not_served`` for another number of dimensions than the encoder has.
    """
    rows, scored = await _scored(served, request.inputs, key, vectors=True)
    width = len(scored[0].vector)
    if request.dimensions not in (None, width):
        what = f"this model's vectors have {width} dimensions: leave dimensions out"
        raise Refusal(400, "not_served", what, param="dimensions")
    data = [
        {"object": "embedding", "index": number, "embedding": _encoded(row.vector, request.encoding_format)}
        for number, row in enumerate(scored)
    ]
    return _list(served, data, rows)


async def _scored(
    served: ServedLabels, texts: Sequence[str], key: Key, *, vectors: bool
) -> tuple[list[list[int]], list[ScoredRow]]:
    for number, text in enumerate(texts):
        if any("\ud800" <= character <= "\udfff" for character in text):
            what = f"input {number} holds half a surrogate pair, which is no character"
            raise Refusal(400, "not_utf8", what, param="input")
    prompts = [(Message.of("user", text),) for text in texts]
    rows = await in_tokens(texts, lambda: [served.engine.labeller.tokens(prompt) for prompt in prompts])
    check_tokens(sum(map(len, rows)), key)
    async with served.gate.turn(key.name):
        return rows, await served.engine.score(rows, vectors=vectors)


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
