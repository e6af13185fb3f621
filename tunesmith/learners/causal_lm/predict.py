"""Greedy answers from a causal language model: batched, the prompts' common prefix computed once.

Shapes: B rows in a batch, P tokens of common prefix, S tokens of the longest rest, V vocabulary.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache

from tunesmith.errors import InputError
from tunesmith.example import Message
from tunesmith.learners.causal_lm.attention import install_for_decoding
from tunesmith.learners.causal_lm.encode import encoder, load_tokenizer
from tunesmith.learners.causal_lm.field_confidence import field_confidence
from tunesmith.learners.causal_lm.grammar import JsonGrammar
from tunesmith.learners.causal_lm.key_value_cache import empty_cache, keep_rows, repeated
from tunesmith.learners.causal_lm.load import load_base, load_tuned
from tunesmith.learners.causal_lm.loss import CrossEntropy
from tunesmith.learners.fast_linear import use_fast_linears
from tunesmith.learners.protocol import Prediction, Progress
from tunesmith.products import BaseModel, EncodedRow, GoalSheet, TunedModel
from tunesmith.threads import give_memory_back
from tunesmith.workers import Workers, cores

#: Raised when the same model gives other answers than before: answers that were kept are asked for again.
VERSION = 3
#: Rows that are answered together, by all threads; and fewer than this are not worth a thread of their own.
ROWS_AT_ONCE = 64
ROWS_EACH = 4
#: Tokens of an answer that room is made for at first.
ROOM = 256
#: Tokens that the context must leave for an answer.
LEAST_ROOM = 16


class _Held:
    """The model in use and its greedy answers by prompt. One at a time: two would double the memory."""

    def __init__(self) -> None:
        self.key: tuple[Path, Path | None] | None = None
        self.model: Any = None
        self.answers: dict[tuple[int, ...], Answer] = {}

    def take(self, base: BaseModel, tuned_folder: Path | None) -> Any:
        if self.key != (base.folder, tuned_folder):
            self.key, self.model, self.answers = None, None, {}
            give_memory_back()
            self.model = load_base(base) if tuned_folder is None else load_tuned(base, tuned_folder)
            install_for_decoding(self.model)
            use_fast_linears(self.model)
            self.key = (base.folder, tuned_folder)
        return self.model


def held_model(base: BaseModel, tuned: TunedModel) -> Any:
    """The tuned model as it answers here; it stays in memory until another one or `release`."""
    return _held.take(base, tuned.folder)


def release() -> None:
    """Let go of the model in use: what comes next may need its memory."""
    _held.key, _held.model, _held.answers = None, None, {}
    give_memory_back()


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

    With ``enforce_schema`` tokens that would leave the goal's JSON Schema are masked out. An answer has
    ``max_new_tokens``, or as many as the context holds behind the longest prompt; raises InputError when that is next
    to nothing.
    """
    _, answers = write(
        candidate,
        base,
        goal,
        tuned,
        prompts,
        max_new_tokens=max_new_tokens,
        enforce_schema=enforce_schema,
        on_progress=on_progress,
    )
    tokenizer = load_tokenizer(base.folder)
    return [
        Prediction(
            text_of(tokenizer, answer.tokens),
            answer.confidence,
            len(answer.tokens),
            answer.seconds,
            answer.finished,
            _of_fields(answer, tokenizer) if goal.output == "json" else {},
        )
        for answer in answers
    ]


def text_of(tokenizer: Any, tokens: Sequence[int]) -> str:
    """The text of an answer's tokens."""
    return str(tokenizer.decode(tokens, skip_special_tokens=True)).strip()


def write(
    candidate: str,
    base: BaseModel,
    goal: GoalSheet,
    tuned: TunedModel | None,
    prompts: Sequence[tuple[Message, ...]],
    *,
    max_new_tokens: int,
    enforce_schema: bool = False,
    on_progress: Progress = lambda done, total: None,
) -> tuple[list[list[int]], list[Answer]]:
    """As `predict`, in tokens: those of each prompt, and each answer."""
    tokenizer = load_tokenizer(base.folder)
    encode = encoder(base, goal, base.context)
    rows = [encode.prompt_tokens(prompt) for prompt in prompts]
    longest = max(map(len, rows), default=0)
    if longest + min(max_new_tokens, LEAST_ROOM) > base.context:
        raise InputError(
            "input_too_long",
            f"the input has {longest:,} tokens; with {min(max_new_tokens, LEAST_ROOM):,} for the answer that is more "
            f"than the {base.context:,} that {base.name} can see",
            fix="shorten the input",
        )
    max_new_tokens = min(max_new_tokens, base.context - longest)
    model = _held.take(base, tuned.folder if candidate == "tuned" and tuned else None)
    grammar = JsonGrammar(tokenizer, model.config.vocab_size, goal.schema) if enforce_schema and goal.schema else None
    ends = {tokenizer.eos_token_id} | as_set(model.generation_config.eos_token_id)
    answers: dict[int, Answer] = {}
    if grammar:
        answers = {index: kept for index, row in enumerate(rows) if (kept := _fitting(grammar, row))}
    prefix = common_prefix(rows)
    order = sorted(set(range(len(rows))) - set(answers), key=lambda index: (len(rows[index]), index))
    workers = min(cores(), -(-len(order) // ROWS_EACH)) or 1
    each = max(1, min(ROWS_AT_ONCE // workers, -(-len(order) // workers)))
    batches = [order[start : start + each] for start in range(0, len(order), each)]
    with torch.inference_mode():
        cache = read_prefix(model, rows[0][:prefix]) if order else None

    @torch.inference_mode()
    def write(batch: list[int]) -> tuple[list[Answer], float]:
        began = time.perf_counter()
        written = _generate(model, cache, prefix, [rows[index] for index in batch], max_new_tokens, ends, grammar)
        return written, (time.perf_counter() - began) / len(batch) / workers

    with Workers(workers) as side_by_side:
        for batch, (written, seconds) in zip(batches, side_by_side.map(write, batches), strict=True):
            for index, answer in zip(batch, written, strict=True):
                answer.seconds = seconds
                answers[index] = answer
                if not grammar:
                    _held.answers[tuple(rows[index])] = answer
            on_progress(len(answers), len(rows))
    return rows, [answers[index] for index in range(len(rows))]


def _of_fields(answer: Answer, tokenizer: Any) -> dict[str, float]:
    return field_confidence(
        answer.tokens, answer.log_probabilities, lambda tokens: str(tokenizer.decode(tokens, skip_special_tokens=True))
    )


@torch.no_grad()
def foretell(
    base: BaseModel,
    tuned: TunedModel,
    rows: Sequence[EncodedRow],
    *,
    on_progress: Progress = lambda done, total: None,
) -> list[tuple[float, int, int]]:
    """How well the tuned model foretells each text: -log of its probability in nats, how many of its tokens were the
    likeliest, and how many there are. Start and end token are not counted."""
    model = _held.take(base, tuned.folder)
    decoder, head = model.get_decoder(), model.get_output_embeddings().weight.detach()  # (V, D)
    found = []
    for number, row in enumerate(rows, 1):
        ids = torch.tensor(row.tokens[:-1])  # (S,), the end foretells nothing
        mask = torch.ones(len(ids), len(ids), dtype=torch.bool).tril()[None, None]  # (1, 1, S, S)
        hidden = decoder(input_ids=ids[None], attention_mask=mask, use_cache=False).last_hidden_state[0]  # (S, D)
        weights = torch.ones(len(ids) - 1, dtype=torch.float64)
        nats, hits, _ = CrossEntropy.apply(hidden[:-1], head, ids[1:], weights)  # type: ignore[no-untyped-call]
        found.append((nats.item(), int(hits.sum().item()), len(ids) - 1))
        on_progress(number, len(rows))
    return found


def _fitting(grammar: JsonGrammar, prompt: Sequence[int]) -> Answer | None:
    """The free greedy answer to this prompt, when it was made before and keeps to the schema.

    Enforcing the schema masks tokens out; when none of those chosen freely is masked, the choice at
    each step, and so the whole answer, is the same.
    """
    answer = _held.answers.get(tuple(prompt))
    return answer if answer and answer.finished and grammar.fits(answer.tokens) else None


def read_prefix(model: Any, tokens: Sequence[int]) -> Cache | None:
    """The cache of a prefix that all rows share, or None for an empty one."""
    if not tokens:
        return None
    cache = empty_cache(len(tokens))
    mask = torch.ones(len(tokens), len(tokens), dtype=torch.bool).tril()[None, None]  # (1, 1, P, P)
    model(
        input_ids=torch.tensor([tokens]), attention_mask=mask, past_key_values=cache, use_cache=True, logits_to_keep=1
    )
    return cache


def as_set(value: int | list[int] | None) -> set[int]:
    return set() if value is None else set(value) if isinstance(value, list) else {value}


def common_prefix(rows: Sequence[list[int]]) -> int:
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
class Answer:
    """An answer as it is written: ``tokens`` without the end token, ``seconds`` of its share of the batch."""

    tokens: list[int] = field(default_factory=list)
    log_probabilities: list[float] = field(default_factory=list)
    seconds: float = 0.0
    finished: bool = False

    @property
    def confidence(self) -> float:
        """Geometric mean of the probabilities of the tokens written, the end token included."""
        return math.exp(math.fsum(self.log_probabilities) / max(1, len(self.log_probabilities)))


_held = _Held()


def _generate(
    model: Any,
    prefix_cache: Cache | None,
    prefix: int,
    rows: Sequence[Sequence[int]],
    limit: int,
    ends: set[int],
    grammar: JsonGrammar | None,
) -> list[Answer]:
    """Greedy decoding of one batch. Rows that have ended leave the batch."""
    rest = max(len(row) - prefix for row in rows)
    pad = [rest - (len(row) - prefix) for row in rows]
    ids = torch.tensor([[0] * gap + list(row[prefix:]) for gap, row in zip(pad, rows, strict=True)])  # (B, S)
    seen = torch.ones(len(rows), prefix + rest, dtype=torch.long)  # (B, P + S)
    for index, gap in enumerate(pad):
        seen[index, prefix : prefix + gap] = 0
    positions = (seen.cumsum(1) - 1).clamp(min=0)[:, prefix:]  # (B, S)
    room = prefix + rest + min(limit, ROOM)
    cache = repeated(prefix_cache, len(rows), room) if prefix_cache else empty_cache(room)
    causal = torch.ones(rest, prefix + rest, dtype=torch.bool).tril(prefix)  # (S, P + S)
    # A padding query sees itself, so that no row of the mask is empty; nobody sees it.
    mask = (causal & seen[:, None].bool()) | torch.eye(rest, prefix + rest, dtype=torch.bool).roll(prefix, 1)
    answers = [Answer() for _ in rows]
    live = list(range(len(rows)))
    matchers = [grammar.start() for _ in rows] if grammar else []
    for _ in range(limit):
        output = model(
            input_ids=ids,
            attention_mask=mask[:, None],
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits = output.logits[:, -1].float()  # (B, V)
        if grammar:
            grammar.mask([matchers[index] for index in live], logits)
        chosen, log_probabilities = _choose(logits)
        keep = []
        for place, index in enumerate(live):
            answer, token = answers[index], int(chosen[place])
            answer.log_probabilities.append(float(log_probabilities[place]))
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
            keep = keep_rows(cache, keep)
            kept = torch.tensor(keep)
            seen, positions, chosen = seen[kept], positions[kept], chosen[kept]
            live = [live[place] for place in keep]
        seen = torch.cat([seen, seen.new_ones(len(live), 1)], dim=1)
        mask = seen[:, None].bool()  # (B, 1, K)
        positions, ids = positions[:, -1:] + 1, chosen[:, None]
    return answers


def _choose(logits: Tensor) -> tuple[Tensor, Tensor]:
    """The likeliest token of each row, [B], and its log probability, [B]."""
    best, chosen = logits.max(-1)
    return chosen, best - logits.logsumexp(-1)
