"""A tuned causal language model that stays loaded and writes token by token, for a server.

The same weights, tokens and arithmetic as in `predict.py`, one answer at a time: with temperature 0 it writes what
the test measured.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any

import torch
from torch import Tensor

from tunesmith.errors import InputError
from tunesmith.example import Message
from tunesmith.generation import Sampling, WrittenToken
from tunesmith.learners.causal_lm.attention import install_for_decoding
from tunesmith.learners.causal_lm.encode import encoder
from tunesmith.learners.causal_lm.field_confidence import field_confidence
from tunesmith.learners.causal_lm.grammar import JsonGrammar
from tunesmith.learners.causal_lm.key_value_cache import empty_cache, repeated
from tunesmith.learners.causal_lm.load import load_base, load_tuned
from tunesmith.learners.causal_lm.predict import ROOM, as_set, common_prefix, read_prefix
from tunesmith.learners.causal_lm.tool_codec import ToolCodec, find_tools
from tunesmith.learners.fast_linear import use_fast_linears
from tunesmith.products import BaseModel, GoalSheet, TunedModel

GIVES = "tokens"
#: Two questions that begin with different tokens: what their prompts share is the head of every prompt.
PROBES = ("a", "0")
#: Schemas whose grammars are kept.
GRAMMARS = 32


class Tokens:
    """Prompts to token ids and back, as in training; no weights are loaded for it."""

    def __init__(self, base: BaseModel, goal: GoalSheet) -> None:
        self._encoder = encoder(base, goal, base.context)
        self._tokenizer = self._encoder.tokenizer

    def of_messages(self, messages: Sequence[Message]) -> list[int]:
        """A conversation up to where the assistant begins to answer, the goal's system prompt first unless it has one.

        Raises InputError for a conversation that the chat template refuses.
        """
        from jinja2.exceptions import TemplateError

        try:
            return self._encoder.prompt_tokens(messages)
        except TemplateError as error:
            raise InputError(
                "template_refuses", f"the model's chat template refuses these messages: {error}", fix="see its roles"
            ) from error

    def of_text(self, text: str) -> list[int]:
        """A bare text that the model goes on from, behind its start token where the tokenizer sets one."""
        if self._encoder.documents:
            return self._encoder.prompt_tokens((Message.of("assistant", text),))
        return list(self._tokenizer(text, verbose=False)["input_ids"])

    def text_of(self, tokens: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(tokens), skip_special_tokens=True))

    def piece(self, token: int) -> str:
        """One token by itself, special ones too."""
        return str(self._tokenizer.decode([token], skip_special_tokens=False))

    def spelled(self, text: str, last: int, count: int) -> list[int]:
        """Tokens that spell a text which stands within another: ``count`` of them, where the tokenizer cuts it so.

        ``last`` is known to be the last, and comes alone where no tokens spell the text.
        """
        tokenizer = self._tokenizer
        before = tokenizer("a", add_special_tokens=False)["input_ids"]
        within = tokenizer(f"a{text}", add_special_tokens=False)["input_ids"]
        alone = tokenizer(text, add_special_tokens=False)["input_ids"]
        by_byte = tokenizer.convert_tokens_to_ids([f"<0x{byte:02X}>" for byte in text.encode()])
        cuts = (within[len(before) :] if within[: len(before)] == before else [], alone, by_byte)
        fitting = [cut for cut in cuts if None not in cut and self.text_of([*before, *cut]) == f"a{text}"]
        exact = [cut for cut in fitting if len(cut) == count and cut[-1] == last]
        return list(next(iter([*exact, *fitting]), [last]))

    def field_confidence(self, tokens: Sequence[int], log_probabilities: Sequence[float]) -> dict[str, float]:
        """Of a JSON object, the probability of each short value at its top, as in `predict.py`."""
        return field_confidence(tokens, log_probabilities, self.text_of)

    @property
    def end(self) -> int:
        return int(self._tokenizer.eos_token_id)

    @cached_property
    def tools(self) -> ToolCodec | None:
        """What the chat template makes of tools; None where it cannot show or tell of them."""
        return find_tools(self._tokenizer, self._encoder.goal.system)

    def grammar(self, schema: Mapping[str, Any] | str, vocabulary: int | None = None) -> JsonGrammar:
        """The schema or grammar compiled for this tokenizer, kept for the next request; ``vocabulary``: of the model's
        logits.

        Raises InputError ``schema_not_enforceable``.
        """
        size = vocabulary or len(self._tokenizer)
        if isinstance(schema, str):
            return _grammar(self._tokenizer, size, lark=schema)
        return _grammar(self._tokenizer, size, schema=_written(schema))


class Writer:
    """The tuned model, or with None the base, in memory, in float32. One answer at a time."""

    def __init__(self, base: BaseModel, goal: GoalSheet, tuned: TunedModel | None) -> None:
        self.tokens = Tokens(base, goal)
        self._model = load_tuned(base, tuned.folder) if tuned else load_base(base)
        install_for_decoding(self._model)
        use_fast_linears(self._model)
        self._vocabulary = int(self._model.config.vocab_size)
        self._ends = {self.tokens.end} | as_set(self._model.generation_config.eos_token_id)
        rows = [self.tokens.of_messages((Message.of("user", probe),)) for probe in PROBES]
        self._head = rows[0][: common_prefix(rows)]
        with torch.inference_mode():
            self._head_cache = read_prefix(self._model, self._head)

    def check_schema(self, schema: Mapping[str, Any] | str) -> None:
        """Compile a schema or grammar for later. Raises InputError ``schema_not_enforceable``."""
        self.tokens.grammar(schema, self._vocabulary)

    @torch.inference_mode()
    def write(self, prompt: Sequence[int], sampling: Sampling) -> Iterator[WrittenToken]:
        """Write the answer to a prompt of token ids, the end token last unless the limit comes first.

        Raises InputError for a schema that cannot be enforced.
        """
        kept_to = sampling.kept_to
        grammar = self.tokens.grammar(kept_to, self._vocabulary) if kept_to is not None else None
        matcher = grammar.start() if grammar else None
        random = torch.Generator()
        random.seed() if sampling.seed is None else random.manual_seed(sampling.seed % 2**63)
        shared = self._head_cache is not None and len(prompt) > len(self._head)
        start = len(self._head) if shared and list(prompt[: len(self._head)]) == self._head else 0
        room = len(prompt) + min(sampling.max_tokens, ROOM)
        cache = repeated(self._head_cache, 1, room) if start and self._head_cache is not None else empty_cache(room)
        ids = torch.tensor([list(prompt[start:])])  # (1, S)
        seen = len(prompt)
        mask = torch.ones(seen - start, seen, dtype=torch.bool).tril(start)[None, None]  # (1, 1, S, P + S)
        positions = torch.arange(start, seen)[None]  # (1, S)
        for _ in range(sampling.max_tokens):
            output = self._model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
            logits = output.logits[:, -1].float()  # (1, V)
            if grammar:
                grammar.mask([matcher], logits)
            written = self._choose(logits[0], sampling, random)
            yield written
            if written.is_end:
                return
            if grammar:
                grammar.accept(matcher, written.id)
            ids, seen = torch.tensor([[written.id]]), seen + 1
            mask = torch.ones(1, 1, 1, seen, dtype=torch.bool)
            positions = torch.tensor([[seen - 1]])

    def _choose(self, logits: Tensor, sampling: Sampling, random: torch.Generator) -> WrittenToken:
        """The next token for logits [V]: the likeliest, or one drawn from the likeliest that make up ``top_p``."""
        log_probabilities = logits.log_softmax(0)
        chosen = int(logits.argmax()) if sampling.temperature == 0 else _drawn(logits, sampling, random)
        values, ids = log_probabilities.topk(min(sampling.top, len(logits)))
        top = tuple(zip(map(int, ids.tolist()), values.tolist(), strict=True))
        return WrittenToken(chosen, float(log_probabilities[chosen]), top, chosen in self._ends)


@lru_cache(maxsize=GRAMMARS)
def _grammar(tokenizer: Any, vocabulary: int, *, schema: str = "", lark: str | None = None) -> JsonGrammar:
    return JsonGrammar(tokenizer, vocabulary, json.loads(schema) if lark is None else lark)


def _written(schema: Mapping[str, Any]) -> str:
    """The schema as text. The order of keys is kept: it is the order in which an answer has them."""
    return json.dumps(schema)


def _drawn(logits: Tensor, sampling: Sampling, random: torch.Generator) -> int:
    """A token by nucleus sampling (Holtzman et al., "The Curious Case of Neural Text Degeneration", ICLR 2020)."""
    probabilities = (logits / sampling.temperature).softmax(0)
    if sampling.top_p < 1:
        ordered, order = probabilities.sort(descending=True)
        outside = ordered.cumsum(0) - ordered >= sampling.top_p  # the first that reaches top_p is still inside
        outside[0] = False
        probabilities[order[outside]] = 0.0
    return int(torch.multinomial(probabilities, 1, generator=random))


def tokens(base: BaseModel, goal: GoalSheet) -> Tokens:
    return Tokens(base, goal)


def open_model(base: BaseModel, goal: GoalSheet, tuned: TunedModel | None) -> Writer:
    return Writer(base, goal, tuned)
