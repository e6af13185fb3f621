"""Labels with their probabilities, from the tuned classifier or, untuned, by the meaning of the labels' names."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from tunesmith.example import Message
from tunesmith.learners.classifier.encode import TextEncoder, encoder
from tunesmith.learners.classifier.load import load_tuned
from tunesmith.learners.classifier.network import Network, pad
from tunesmith.learners.fast_linear import use_fast_linears
from tunesmith.learners.protocol import Prediction, Progress
from tunesmith.products import BaseModel, EncodedRow, GoalSheet, TunedModel

#: Raised when the same model gives other answers than before: answers that were kept are asked for again.
VERSION = 1
TOKENS_AT_ONCE = 4096
#: Cosines lie close together; a softmax over them needs a scale to say anything.
ZERO_SHOT_SCALE = 20.0


@lru_cache(maxsize=1)
def _tuned(folder: Path, pad_token: int) -> Network:
    network = load_tuned(folder, pad_token)
    use_fast_linears(network.model)
    return network


@lru_cache(maxsize=1)
def _base(folder: Path) -> Any:
    from transformers import AutoModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    model = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True, dtype=torch.float32).eval()
    use_fast_linears(model)
    return model


def predict(
    candidate: str,
    base: BaseModel,
    goal: GoalSheet,
    tuned: TunedModel | None,
    prompts: Sequence[tuple[Message, ...]],
    *,
    max_new_tokens: int = 0,
    enforce_schema: bool = False,
    on_progress: Progress = lambda done, total: None,
) -> list[Prediction]:
    """The likeliest label of each prompt's text with its probability.

    "tuned": the trained head. "base": the label whose name lies nearest to the text in the
    encoder's own space, which is what the base can do without training. ``max_new_tokens`` and
    ``enforce_schema`` have no meaning for labels. Raises InputError for a text that is too long.
    """
    encode = encoder(base, goal, base.context)
    rows = [encode.prompt_tokens(prompt) for prompt in prompts]
    answers: list[Prediction | None] = [None] * len(rows)
    done = 0
    with torch.inference_mode():
        score = _scorer(candidate, base, goal, tuned, encode)
        for batch in batches_of(rows):
            began = time.perf_counter()
            probabilities = score([rows[index] for index in batch])  # (B, C)
            seconds = (time.perf_counter() - began) / len(batch)
            best, chosen = probabilities.max(1)
            for index, value, label in zip(batch, best.tolist(), chosen.tolist(), strict=True):
                answers[index] = Prediction(goal.labels[label], float(value), 1, seconds)
            done += len(batch)
            on_progress(done, len(rows))
    return [answer for answer in answers if answer is not None]


def batches_of(rows: Sequence[Sequence[int]]) -> list[list[int]]:
    """Row numbers in batches of like length, at most TOKENS_AT_ONCE padded tokens each."""
    batches: list[list[int]] = []
    for index in sorted(range(len(rows)), key=lambda index: (len(rows[index]), index)):
        if batches and (len(batches[-1]) + 1) * len(rows[index]) <= TOKENS_AT_ONCE:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


def tuned_scorer(tuned: TunedModel, encode: TextEncoder) -> Callable[[Sequence[list[int]]], Tensor]:
    """A function from token rows to the trained head's probabilities [B, C]."""
    network = _tuned(tuned.folder, encode.tokenizer.pad_token_id)

    def by_head(rows: Sequence[list[int]]) -> Tensor:
        logits, _ = network.forward([EncodedRow("", row, [], None, 1.0, len(row)) for row in rows])
        return logits.softmax(1)

    return by_head


def _scorer(candidate: str, base: BaseModel, goal: GoalSheet, tuned: TunedModel | None, encode: TextEncoder) -> Any:
    """A function from token rows to probabilities [B, C]."""
    pad_token = encode.tokenizer.pad_token_id
    if candidate == "tuned" and tuned is not None:
        return tuned_scorer(tuned, encode)
    model = _base(base.folder)
    names = [label.replace("_", " ").replace("-", " ") for label in goal.labels]
    anchors = _embed(model, [encode.tokens(name) for name in names], pad_token)  # (C, D)

    def by_name(rows: Sequence[list[int]]) -> Tensor:
        return (ZERO_SHOT_SCALE * _embed(model, rows, pad_token) @ anchors.T).softmax(1)

    return by_name


def _embed(model: Any, rows: Sequence[list[int]], pad_token: int) -> Tensor:
    """Unit vectors [B, D]: the mean of the token states, as sentence encoders are trained."""
    ids, seen = pad(rows, pad_token)
    states = model(input_ids=ids, attention_mask=seen).last_hidden_state  # (B, S, D)
    weights = seen[:, :, None].to(states.dtype)
    return normalize((states * weights).sum(1) / weights.sum(1), dim=1)
