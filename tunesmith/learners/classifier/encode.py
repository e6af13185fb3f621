"""Turn a text and its label into a row of token ids with the label's number."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from tunesmith.errors import InputError, TunesmithError
from tunesmith.example import Example, Message, input_of
from tunesmith.learners.protocol import Refusal
from tunesmith.products import BaseModel, EncodedRow, GoalSheet


@lru_cache(maxsize=4)
def load_tokenizer(folder: Path) -> Any:
    """The tokenizer in a model folder, with its own cutting and padding switched off."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    if getattr(tokenizer, "backend_tokenizer", None) is not None:
        # Some folders carry a limit below the model's context; rows must not be cut silently.
        tokenizer.backend_tokenizer.no_truncation()
        tokenizer.backend_tokenizer.no_padding()
    return tokenizer


def encoder(base: BaseModel, goal: GoalSheet, max_tokens: int) -> TextEncoder:
    return TextEncoder(load_tokenizer(base.folder), goal, min(max_tokens, base.context))


class TextEncoder:
    """Turns labelled texts into token ids. ``max_tokens`` counts the special tokens too."""

    def __init__(self, tokenizer: Any, goal: GoalSheet, max_tokens: int) -> None:
        self.tokenizer = tokenizer
        self.goal = goal
        self.max_tokens = max_tokens
        self._numbers = {label: number for number, label in enumerate(goal.labels)}

    def tokens(self, text: str) -> list[int]:
        """Token ids of a text, special tokens included, of any length."""
        return list(self.tokenizer(text, truncation=False, verbose=False)["input_ids"])

    def prompt_tokens(self, prompt: Sequence[Message]) -> list[int]:
        """Token ids of what a prompt asks. Raises InputError ``input_too_long``."""
        tokens = self.tokens(input_of(prompt))
        if len(tokens) > self.max_tokens:
            raise InputError(
                "input_too_long",
                f"the input has {len(tokens):,} tokens, and the model can see {self.max_tokens:,}",
                fix="shorten the input",
            )
        return tokens

    def encode(self, example: Example) -> EncodedRow | Refusal:
        label = self._numbers.get(example.answer or "")
        if label is None or example.weight == 0:
            return Refusal("no_target", f"the answer {example.answer!r} is not a label of the goal, or its weight is 0")
        tokens = self.tokens(example.input)
        if len(tokens) > self.max_tokens:
            return Refusal(
                "too_long", f"{len(tokens):,} tokens, and at most {self.max_tokens:,} fit; rows are never cut"
            )
        return EncodedRow(example.id, tokens, [False] * len(tokens), label, example.weight, len(tokens))

    def pieces(self, row: EncodedRow) -> list[tuple[str, bool]]:
        """The text as the model sees it and the label that it is trained to give."""
        if row.label is None:
            raise TunesmithError("no_label", "a row of a classifier has no label", row.id)
        text = self.tokenizer.decode(row.tokens, skip_special_tokens=False)
        return [(text, False), (f" → {self.goal.labels[row.label]}", True)]
