"""What the tuned classifier itself says of texts: the reference that an exported form is compared with."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch

from tunesmith.example import Message
from tunesmith.learners.classifier.encode import encoder
from tunesmith.learners.classifier.predict import batches_of, tuned_scorer
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
    encode = encoder(base, goal, base.context)
    rows = [encode.prompt_tokens(prompt) for prompt in prompts]
    score = tuned_scorer(tuned, encode)
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
