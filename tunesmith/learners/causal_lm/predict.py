"""Greedy answers from a causal language model: batched, the prompts' common prefix computed once.

Shapes: B rows in a batch, P tokens of common prefix, S tokens of the longest rest, V vocabulary.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tunesmith.errors import InputError
from tunesmith.example import Message
from tunesmith.learners.causal_lm.encode import ConversationEncoder, load_tokenizer
from tunesmith.learners.causal_lm.grammar import JsonGrammar
from tunesmith.learners.causal_lm.load import load_base, load_tuned
from tunesmith.learners.protocol import Prediction, Progress
from tunesmith.products import BaseModel, GoalSheet, TunedModel

ROWS_AT_ONCE = 16


@lru_cache(maxsize=1)
def _model(base_folder: Path, tuned_folder: Path | None, base: BaseModel) -> Any:
    return load_base(base) if tuned_folder is None else load_tuned(base, tuned_folder)


def predict(
    candidate: str,
    base: BaseModel,
    goal: GoalSheet,
    tuned: TunedModel | None,
    prompts: Sequence[tuple[Message, ...]],
    *,
    max_new_tokens: int,
    enforce_schema: bool = False,
    on_progress: Progress = lambda done, total: None,
) -> list[Prediction]:
    """Answer each prompt greedily with the candidate ("base" or "tuned"), in float32.

    With ``enforce_schema`` tokens that would leave the goal's JSON Schema are masked out.
    Raises InputError when a prompt does not fit the context with its answer.
    """
    tokenizer = load_tokenizer(base.folder)
    encoder = ConversationEncoder(tokenizer, goal, base.context)
    rows = [encoder.prompt_tokens(prompt) for prompt in prompts]
    for row in rows:
        if len(row) + max_new_tokens > base.context:
            raise InputError(
                "input_too_long",
                f"the input has {len(row):,} tokens; with {max_new_tokens:,} for the answer that is more than "
                f"the {base.context:,} that {base.name} can see",
                fix="shorten the input",
            )
    model = _model(base.folder, tuned.folder if candidate == "tuned" and tuned else None, base)
    grammar = JsonGrammar(tokenizer, model.config.vocab_size, goal.schema) if enforce_schema and goal.schema else None
    ends = {tokenizer.eos_token_id} | _as_set(model.generation_config.eos_token_id)
    answers: list[Prediction | None] = [None] * len(rows)
    prefix = _common_prefix(rows)
    with torch.inference_mode():
        cache = model(input_ids=torch.tensor([rows[0][:prefix]]), use_cache=True).past_key_values if prefix else None
        order = sorted(range(len(rows)), key=lambda index: (len(rows[index]), index))
        for start in range(0, len(order), ROWS_AT_ONCE):
            batch = order[start : start + ROWS_AT_ONCE]
            began = time.perf_counter()
            written = _generate(model, cache, prefix, [rows[index] for index in batch], max_new_tokens, ends, grammar)
            seconds = (time.perf_counter() - began) / len(batch)
            for index, answer in zip(batch, written, strict=True):
                text = tokenizer.decode(answer.tokens, skip_special_tokens=True).strip()
                answers[index] = Prediction(text, answer.confidence, len(answer.tokens), seconds, answer.finished)
            on_progress(min(start + ROWS_AT_ONCE, len(order)), len(order))
    return [prediction for prediction in answers if prediction is not None]


def _as_set(value: int | list[int] | None) -> set[int]:
    return set() if value is None else set(value) if isinstance(value, list) else {value}


def _common_prefix(rows: Sequence[list[int]]) -> int:
    """Tokens that all rows share, leaving at least one token of each row to compute."""
    if len(rows) < 2:
        return 0
    low, high = min(rows), max(rows)  # in lexical order the extremes share least
    limit = min(len(row) for row in rows) - 1
    shared = 0
    while shared < limit and low[shared] == high[shared]:
        shared += 1
    return shared


@dataclass
class _Answer:
    tokens: list[int] = field(default_factory=list)
    log_probability: float = 0.0
    steps: int = 0
    finished: bool = False

    @property
    def confidence(self) -> float:
        """Geometric mean of the probabilities of the tokens written, the end token included."""
        return float(torch.tensor(self.log_probability / max(1, self.steps)).exp())


def _generate(
    model: Any,
    prefix_cache: Any,
    prefix: int,
    rows: Sequence[Sequence[int]],
    limit: int,
    ends: set[int],
    grammar: JsonGrammar | None,
) -> list[_Answer]:
    """Greedy decoding of one batch. Rows that have ended leave the batch."""
    rest = max(len(row) - prefix for row in rows)
    pad = [rest - (len(row) - prefix) for row in rows]
    ids = torch.tensor([[0] * gap + list(row[prefix:]) for gap, row in zip(pad, rows, strict=True)])  # (B, S)
    seen = torch.ones(len(rows), prefix + rest, dtype=torch.long)  # (B, P + S)
    for index, gap in enumerate(pad):
        seen[index, prefix : prefix + gap] = 0
    positions = (seen.cumsum(1) - 1).clamp(min=0)[:, prefix:]  # (B, S)
    cache = None
    if prefix_cache is not None:
        cache = copy.deepcopy(prefix_cache)
        cache.batch_repeat_interleave(len(rows))
    answers = [_Answer() for _ in rows]
    live = list(range(len(rows)))
    matchers = [grammar.start() for _ in rows] if grammar else []
    for _ in range(limit):
        output = model(
            input_ids=ids,
            attention_mask=seen,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        cache, logits = output.past_key_values, output.logits[:, -1].float()  # (B, V)
        if grammar:
            grammar.mask([matchers[index] for index in live], logits)
        chosen, log_probabilities = _choose(logits)
        keep = []
        for place, index in enumerate(live):
            answer, token = answers[index], int(chosen[place])
            answer.steps += 1
            answer.log_probability += float(log_probabilities[place])
            if token in ends:
                answer.finished = True
                continue
            answer.tokens.append(token)
            if grammar:
                grammar.accept(matchers[index], token)
            keep.append(place)
        if not keep:
            break
        if len(keep) < len(live):
            kept = torch.tensor(keep)
            cache.batch_select_indices(kept)
            seen, positions, chosen = seen[kept], positions[kept], chosen[kept]
            live = [live[place] for place in keep]
        seen = torch.cat([seen, seen.new_ones(len(live), 1)], dim=1)
        positions, ids = positions[:, -1:] + 1, chosen[:, None]
    return answers


def _choose(logits: Tensor) -> tuple[Tensor, Tensor]:
    """The likeliest token of each row, [B], and its log probability, [B]."""
    best, chosen = logits.max(-1)
    return chosen, best - logits.logsumexp(-1)
