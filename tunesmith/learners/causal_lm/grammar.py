"""Keep an answer inside a JSON Schema, or a grammar, while it is decoded, with llguidance."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tunesmith.errors import InputError, TunesmithError


@lru_cache(maxsize=4)
def _known_tokenizer(tokenizer: Any, vocabulary: int) -> Any:
    """The tokenizer in llguidance's form. Making it takes seconds, in which no other thread of Python goes on."""
    import llguidance.hf

    return llguidance.hf.from_tokenizer(tokenizer, n_vocab=vocabulary)


class JsonGrammar:
    """A JSON Schema, or a grammar in llguidance's form of Lark, compiled for one tokenizer. White space of JSON is as
    ``json.dumps`` writes it, which is how answers are laid out in training."""

    def __init__(self, tokenizer: Any, vocabulary: int, schema: Mapping[str, Any] | str) -> None:
        import llguidance

        self.vocabulary = vocabulary
        self._tokenizer = _known_tokenizer(tokenizer, vocabulary)
        layout = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
        self._make = llguidance.LLMatcher
        self._grammar = (
            self._make.grammar_from_lark(schema)
            if isinstance(schema, str)
            else self._make.grammar_from_json_schema(json.dumps(schema), layout)
        )
        error = self._make.validate_grammar(self._grammar, self._tokenizer)
        if error:
            raise InputError(
                "schema_not_enforceable",
                f"this JSON Schema cannot be enforced while decoding: {error}",
                "tunesmith.yaml: goal.schema",
                "simplify the schema, or set test.enforce_schema: false",
            )

    def start(self) -> Any:
        """The state of one answer."""
        return self._make(self._tokenizer, self._grammar)

    def fits(self, tokens: Sequence[int]) -> bool:
        """Whether a finished answer's tokens keep to the schema from the first to the end."""
        matcher = self.start()
        return bool(matcher.try_consume_tokens(list(tokens)) == len(tokens) and matcher.is_accepting())

    def mask(self, matchers: Sequence[Any], logits: Tensor) -> None:
        """Set the logits [B, V] of tokens that would leave the schema to minus infinity, in place."""
        # llguidance's masks for torch are compiled by a C++ compiler, which a user need not have.
        import llguidance.numpy as masks

        bits = masks.allocate_token_bitmask(len(matchers), self.vocabulary)  # int32 [B, V / 32], a bit a token
        for row, matcher in enumerate(matchers):
            masks.fill_next_token_bitmask(matcher, bits, row)
        allowed = np.unpackbits(bits.view(np.uint8), axis=1, bitorder="little")[:, : logits.shape[1]]
        outside = torch.tensor(-torch.inf, dtype=logits.dtype)
        torch.where(torch.from_numpy(allowed.view(np.bool_)), logits, outside, out=logits)

    def accept(self, matcher: Any, token: int) -> None:
        """Move on by one token."""
        if not matcher.consume_token(token):
            raise TunesmithError("schema_decoding_failed", f"the schema's decoder stopped: {matcher.get_error()}")
