"""What the tuned classifier itself says of texts: the reference that an exported form is compared with."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch

from tunesmith.errors import InputError
from tunesmith.example import Message
from tunesmith.learners.classifier.encode import TextEncoder, load_tokenizer
from tunesmith.learners.classifier.predict import batches_of, text_of, tuned_scorer
from tunesmith.learners.protocol import Progress, Replayed
from tunesmith.products import BaseModel, GoalSheet, TunedModel


@torch.inference_mode()
def replay(
    base: BaseModel,
    goal: GoalSheet,
    tuned: TunedModel,
    prompts: Sequence[tuple[Message, ...]],
    *,
    max_new_tokens: int = 0,
    on_progress: Progress = lambda done, total: None,
) -> list[Replayed]:
    """The label of each prompt's text in float32, with its token ids and the probability of every label."""
    encoder = TextEncoder(load_tokenizer(base.folder), goal, base.context)
    rows = [encoder.tokens(text_of(prompt)) for prompt in prompts]
    if longest := max((len(row) for row in rows if len(row) > base.context), default=0):
        raise InputError(
            "input_too_long",
            f"the input has {longest:,} tokens, and {base.name} can see {base.context:,}",
            fix="shorten the input",
        )
    score = tuned_scorer(tuned, encoder)
    found: dict[int, Replayed] = {}
    for batch in batches_of(rows):
        began = time.perf_counter()
        probabilities = score([rows[index] for index in batch]).tolist()  # (B, C)
        seconds = (time.perf_counter() - began) / len(batch)
        for index, values in zip(batch, probabilities, strict=True):
            scores = dict(zip(goal.labels, values, strict=True))
            label = max(scores, key=scores.__getitem__)
            found[index] = Replayed(tuple(rows[index]), (), label, True, seconds, scores=scores)
        on_progress(len(found), len(rows))
    return [found[index] for index in range(len(rows))]
