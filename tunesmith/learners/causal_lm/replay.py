"""What the tuned model itself answers, token by token: the reference that an exported form is compared with."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from tunesmith.example import Message
from tunesmith.learners.causal_lm.encode import load_tokenizer
from tunesmith.learners.causal_lm.predict import held_model, text_of, write
from tunesmith.learners.protocol import Progress, Replayed
from tunesmith.products import BaseModel, GoalSheet, TunedModel


def replay(
    base: BaseModel,
    goal: GoalSheet,
    tuned: TunedModel,
    prompts: Sequence[tuple[Message, ...]],
    *,
    max_new_tokens: int,
    on_progress: Progress = lambda done, total: None,
) -> list[Replayed]:
    """Answer each prompt greedily in float32, as `predict` does; with the token ids of prompt and answer."""
    rows, answers = write("tuned", base, goal, tuned, prompts, max_new_tokens=max_new_tokens, on_progress=on_progress)
    tokenizer = load_tokenizer(base.folder)
    return [
        Replayed(tuple(row), tuple(answer.tokens), text_of(tokenizer, answer.tokens), answer.finished, answer.seconds)
        for row, answer in zip(rows, answers, strict=True)
    ]


@torch.inference_mode()
def log_probabilities(
    base: BaseModel, tuned: TunedModel, prompt: Sequence[int], answer: Sequence[int], rival: int | None = None
) -> tuple[list[float], float | None]:
    """The log probability of each token of an answer, and how far ``rival`` lies behind its last token, in logits.

    ``answer`` may end with the end token.
    """
    ids = torch.tensor([[*prompt, *answer[:-1]]])  # (1, S)
    model = held_model(base, tuned)
    seen = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).tril()[None, None]  # (1, 1, S, S)
    logits = model(input_ids=ids, attention_mask=seen, logits_to_keep=len(answer)).logits[0].double()  # (A, V)
    chosen = logits.gather(1, torch.tensor(answer)[:, None])[:, 0]  # (A,)
    gap = None if rival is None else float(chosen[-1] - logits[-1, rival])
    return (chosen - logits.logsumexp(-1)).tolist(), gap


def text_of_answer(base: BaseModel, tokens: Sequence[int]) -> str:
    """The text of an answer's tokens."""
    return text_of(load_tokenizer(base.folder), tokens)


def tokens_of_answer(base: BaseModel, text: str) -> list[int]:
    """An answer's text as the tokens that a model most likely wrote it in."""
    return list(load_tokenizer(base.folder)(text, add_special_tokens=False, verbose=False)["input_ids"])


def end_token(base: BaseModel) -> int:
    """The token that ends an answer."""
    return int(load_tokenizer(base.folder).eos_token_id)
