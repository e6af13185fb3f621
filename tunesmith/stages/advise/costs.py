"""What an answer costs: its time, its tokens, the memory it takes and, where a price is given, money."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tunesmith.answering.answerer import Prompt
from tunesmith.answering.equipment import Equipment, answerer, put
from tunesmith.answering.setups import Setup, question_of
from tunesmith.learners.protocol import Prediction
from tunesmith.products import GoalSheet
from tunesmith.stages.advise.settings import AdviseSettings

#: Questions that are asked one at a time to measure how long one waits; one before them warms up.
ASKED_ALONE = 3
REQUESTS = 1000
#: Weights are computed with in float32.
BYTES_A_WEIGHT = 4


@dataclass(frozen=True)
class Cost:
    """What an arm's answers cost, as means.

    ``latency``: seconds from a question to its answer, asked alone. ``seconds``: of compute, where many are asked
    together. ``tokens_in`` and ``tokens_out`` of an answer. ``per_thousand``: what a thousand requests cost, None
    without a price; ``priced_by`` is tokens or hours. ``memory`` in bytes: weights, examples and documents. ``build``:
    seconds to make it once.
    """

    latency: float
    seconds: float
    tokens_in: float
    tokens_out: float
    per_thousand: float | None
    priced_by: str
    memory: int
    build: float


def cost_of(
    setup: Setup,
    prompts: Sequence[Prompt],
    answers: Sequence[Prediction],
    equipment: Equipment,
    settings: AdviseSettings,
    *,
    build: float,
) -> Cost:
    """What the answers to these prompts cost."""
    given = put(setup, prompts, equipment)
    tokens_in = statistics.mean(lengths(equipment, given.goal, given.prompts))
    tokens_out = statistics.mean(answer.tokens for answer in answers)
    seconds = statistics.mean(answer.seconds for answer in answers)
    price, priced_by = _price(settings, seconds, tokens_in + tokens_out)
    latency = asked_alone(setup, prompts, equipment)
    return Cost(latency, seconds, tokens_in, tokens_out, price, priced_by, _memory(setup, equipment), build)


def lengths(equipment: Equipment, goal: GoalSheet, prompts: Sequence[Prompt]) -> list[int]:
    """The length of each prompt in the base's own tokens."""
    encoder: Any = equipment.learner.encode.encoder(equipment.base, goal, equipment.base.context)
    if hasattr(encoder, "prompt_tokens"):
        return [len(encoder.prompt_tokens(prompt)) for prompt in prompts]
    return [len(encoder.tokens(question_of(prompt))) for prompt in prompts]


def asked_alone(setup: Setup, prompts: Sequence[Prompt], equipment: Equipment) -> float:
    """Seconds from a question to its answer, search included: the median of a few, asked one at a time."""
    took = []
    who = answerer(setup, equipment)
    for prompt in prompts[: 1 + ASKED_ALONE]:
        began = time.perf_counter()
        who.ask(put(setup, [prompt], equipment).prompts, lambda done, total: None)
        took.append(time.perf_counter() - began)
    return statistics.median(took[1:] or took)


def _price(settings: AdviseSettings, seconds: float, tokens: float) -> tuple[float | None, str]:
    if settings.price_per_million_tokens is not None:
        return REQUESTS * tokens / 1e6 * settings.price_per_million_tokens, "tokens"
    if settings.price_per_hour is not None:
        return REQUESTS * seconds / 3600 * settings.price_per_hour, "hours"
    return None, ""


def _memory(setup: Setup, equipment: Equipment) -> int:
    size = BYTES_A_WEIGHT * equipment.base.parameters
    if setup.model == "tuned" and equipment.tuned is not None:
        adapter = equipment.tuned.folder / "adapter_model.safetensors"
        size += adapter.stat().st_size if adapter.exists() else 0
    if (setup.examples or setup.votes) and equipment.shelf is not None:
        size += equipment.shelf.index.bytes
    if setup.chunks and equipment.knowledge is not None:
        size += equipment.knowledge.index.bytes
    return size
