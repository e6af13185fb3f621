"""Render a conversation with the model's own chat template and mark which tokens are trained.

The text is cut where an assistant's turn begins and each piece is tokenized by itself, in training
and in prediction alike, so that the tokens of a prompt are the same in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from tunesmith.errors import InputError
from tunesmith.example import Example, Message
from tunesmith.learners.protocol import Refusal
from tunesmith.products import BaseModel, EncodedRow, GoalSheet


@lru_cache(maxsize=4)
def load_tokenizer(folder: Path) -> Any:
    """The tokenizer in a model folder, checked to have a chat template and an end token."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    if not tokenizer.chat_template:
        raise InputError(
            "no_chat_template",
            "this base has no chat template, so its way to mark turns is not known",
            str(folder),
            "choose an instruction-tuned base: `tunesmith base --list`",
        )
    if tokenizer.eos_token_id is None:
        raise InputError("no_end_token", "this base has no end token", str(folder), "choose another base")
    return tokenizer


def with_system(goal: GoalSheet, messages: Sequence[Message]) -> tuple[Message, ...]:
    """Put the goal's system prompt first, unless the row has one of its own."""
    if messages and messages[0].role == "system":
        return tuple(messages)
    return (Message.of("system", goal.system), *messages)


def _is_document(messages: Sequence[Message]) -> bool:
    return len(messages) == 1 and messages[0].role == "assistant"


def _with_answer(messages: Sequence[Message], answer: str) -> tuple[Message, ...]:
    """A conversation with another answer in place of the last."""
    last = max(place for place, message in enumerate(messages) if message.role == "assistant")
    return (*messages[:last], Message.of("assistant", answer))


def encoder(base: BaseModel, goal: GoalSheet, max_tokens: int) -> ConversationEncoder:
    return ConversationEncoder(load_tokenizer(base.folder), goal, max_tokens, documents=base.from_scratch)


class ConversationEncoder:
    """Turns conversations into token ids with one bool a token: is it trained.

    With ``documents`` also texts without a question: all of their tokens are trained, behind the start token. Only a
    fresh model's start token means nothing else.
    """

    def __init__(self, tokenizer: Any, goal: GoalSheet, max_tokens: int, *, documents: bool = False) -> None:
        self.tokenizer = tokenizer
        self.goal = goal
        self.max_tokens = max_tokens
        self.documents = documents

    def _render(self, messages: Sequence[Message], generation_prompt: bool) -> str:
        turns = [{"role": message.role, "content": message.text} for message in messages]
        return str(self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=generation_prompt))

    def _pieces(self, messages: Sequence[Message]) -> list[tuple[str, bool]]:
        """The rendered text in pieces: (text, whether an assistant wrote it). Ends with the last answer."""
        pieces: list[tuple[str, bool]] = []
        done = ""
        for index, message in enumerate(messages):
            if message.role != "assistant":
                continue
            before = self._render(messages[:index], True)
            through = self._render(messages[: index + 1], False)
            if not (before.startswith(done) and through.startswith(before)):
                raise InputError(
                    "template_rewrites_history",
                    "this base's chat template changes earlier turns, so trained tokens cannot be marked",
                    fix="keep only the last turn of each conversation, or choose another base",
                )
            pieces += [(before[len(done) :], False), (through[len(before) :], True)]
            done = through
        return pieces

    def _tokens(self, text: str) -> list[int]:
        # verbose: whether to warn of a text that is too long; what becomes of it is told by who asks.
        return list(self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def prompt_tokens(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of a prompt, up to where the assistant begins to answer; of a document, up to where it goes on."""
        if self.documents and _is_document(messages):
            return [self.tokenizer.bos_token_id, *self._tokens(messages[0].text)]
        messages = with_system(self.goal, messages)
        pieces = self._pieces(messages)
        done = "".join(text for text, _ in pieces)
        rest = self._render(messages, True)[len(done) :]
        return [token for text, _ in [*pieces, (rest, False)] for token in self._tokens(text)]

    def encode(self, example: Example) -> EncodedRow | Refusal:
        row = self._encode(example)
        if isinstance(row, Refusal) or example.rejected is None:
            return row
        rejected = self._encode(replace(example, messages=_with_answer(example.messages, example.rejected)))
        if isinstance(rejected, Refusal):
            return Refusal(rejected.code, f"with the rejected answer: {rejected.evidence}")
        return replace(row, rejected=rejected.tokens, rejected_trained=rejected.trained)

    def _encode_document(self, example: Example) -> EncodedRow | Refusal:
        """The text between the start and the end token."""
        if not self.documents:
            return Refusal("document", "a text without a question is learned by a fresh model alone")
        tokenizer = self.tokenizer
        tokens = [tokenizer.bos_token_id, *self._tokens(example.input), tokenizer.eos_token_id]
        return self._checked(
            EncodedRow(example.id, tokens, [False] + [True] * (len(tokens) - 1), None, example.weight, 1)
        )

    def _encode(self, example: Example) -> EncodedRow | Refusal:
        if example.is_document:
            return self._encode_document(example)
        end = self.tokenizer.eos_token_id
        tokens: list[int] = []
        trained: list[bool] = []
        prompt = 0
        for text, is_answer in self._pieces(with_system(self.goal, example.messages)):
            ids = self._tokens(text)
            last = len(ids) - 1 - ids[::-1].index(end) if is_answer and end in ids else -1
            if is_answer and last < 0:
                return Refusal("no_end_token", "the rendered answer does not end with the model's end token")
            if is_answer:
                prompt = len(tokens)
            # What follows the end token (a line break, mostly) belongs to the template, not to the answer.
            trained += [is_answer and position <= last for position in range(len(ids))]
            tokens += ids
        while trained and not trained[-1]:
            trained.pop()
            tokens.pop()
        return self._checked(EncodedRow(example.id, tokens, trained, None, example.weight, prompt))

    def _checked(self, row: EncodedRow) -> EncodedRow | Refusal:
        if sum(row.trained) < 2 or row.weight == 0:
            return Refusal("no_target", "there is no token to train on: the answer is empty or its weight is 0")
        if len(row.tokens) > self.max_tokens:
            return Refusal(
                "too_long", f"{len(row.tokens):,} tokens, and at most {self.max_tokens:,} fit; rows are never cut"
            )
        return row

    def pieces(self, row: EncodedRow) -> list[tuple[str, bool]]:
        """The row as the model sees it, special tokens included, cut where ``trained`` changes."""
        pieces: list[tuple[str, bool]] = []
        start = 0
        for index in range(1, len(row.tokens) + 1):
            if index == len(row.tokens) or row.trained[index] != row.trained[start]:
                text = self.tokenizer.decode(row.tokens[start:index], skip_special_tokens=False)
                pieces.append((text, row.trained[start]))
                start = index
        return pieces
