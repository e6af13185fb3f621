"""A version at work: its engine, its queue, and how its answers are marked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from tunesmith.errors import InputError
from tunesmith.example import Message
from tunesmith.plugins import learner
from tunesmith.server.engines import LabelEngine, TextEngine, TokenCodec, TorchText
from tunesmith.server.limits import Gate
from tunesmith.server.refusal import Refusal
from tunesmith.server.version import Version

EngineName = Literal["auto", "torch", "llamacpp"]
#: Requests that a classifier works on at once: their rows are scored together.
LABELS_AT_ONCE = 256
#: Characters from which on a text is turned into tokens beside the event loop, so that others need not wait for it.
LONG_TEXT = 20_000

Found = TypeVar("Found")


@dataclass(frozen=True)
class ServedText:
    """A model that writes."""

    version: Version
    engine: TextEngine
    codec: TokenCodec
    gate: Gate


@dataclass(frozen=True)
class ServedLabels:
    """A model that gives labels."""

    version: Version
    engine: LabelEngine
    gate: Gate


Served = ServedText | ServedLabels


def serve_version(version: Version, engine: EngineName, waiting: int) -> Served:
    """Load a version. ``waiting``: requests that may wait for it. Raises InputError for an engine that cannot."""
    module = learner(version.tuned.learner).serve
    if module.GIVES == "labels":
        if engine == "llamacpp":
            what = f"{version.name} is a classifier, and llama.cpp serves language models"
            raise InputError("engine_cannot", what, "--engine", "leave --engine out")
        labels = LabelEngine(module.open_model(version.base, version.goal, version.tuned))
        return ServedLabels(version, labels, Gate(LABELS_AT_ONCE, waiting))
    writer = module.open_model(version.base, version.goal, version.tuned)
    text = TorchText(writer, _probe(version, writer.tokens))
    return ServedText(version, text, writer.tokens, Gate(text.slots, waiting))


def _probe(version: Version, codec: TokenCodec) -> list[int]:
    """A short prompt to find out whether the model can write."""
    return codec.of_text("a") if version.documents else codec.of_messages((Message.of("user", "a"),))


def marks(version: Version, confidence: float, **more: Any) -> dict[str, Any]:
    """What we add to an answer beside OpenAI's fields."""
    handed_off = version.goal.unknown == "hand_off" and confidence < version.goal.confidence
    return {"version": version.full_name, "confidence": confidence, "handed_off": handed_off, **more}


async def in_tokens(text: Sequence[str], make: Callable[[], Found]) -> Found:
    """Turn texts into tokens, beside the event loop where they are long."""
    if sum(map(len, text)) < LONG_TEXT:
        return make()
    return await asyncio.to_thread(make)


def room_for(served: ServedText, prompt: int, wanted: int | None, allowed: int | None) -> int:
    """How many tokens the answer may have: as asked for, or as the test measured; never more than fit.

    ``allowed``: tokens a request of the key. Raises Refusal ``context_length_exceeded`` or ``too_many_tokens``.
    """
    context = served.version.base.context
    if prompt + 1 > context or (wanted is not None and prompt + wanted > context):
        asked = f" and {wanted:,} for the answer" if wanted is not None else ""
        what = f"the prompt has {prompt:,} tokens{asked}; the model can see {context:,}"
        raise Refusal(400, "context_length_exceeded", what, param="messages")
    if allowed is not None and prompt + (wanted or 1) > allowed:
        what = f"this key may use {allowed:,} tokens a request; the prompt has {prompt:,}"
        raise Refusal(400, "too_many_tokens", what, param="max_tokens")
    most = min(context, allowed or context) - prompt
    return min(wanted or served.version.max_new_tokens, most)
