"""What a server asks of whatever writes text, and what comes back, token by token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Sampling:
    """How an answer is written. ``temperature`` 0 is greedy, as the test measured.

    ``schema``: the JSON Schema that the answer must keep to while it is decoded; ``grammar``: in its place, what it
    must keep to in llguidance's form of Lark. ``top``: so many of the likeliest tokens are told at each place.
    ``seed``: None draws another answer each time.
    """

    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    schema: Mapping[str, Any] | None = None
    top: int = 0
    grammar: str | None = None

    @property
    def kept_to(self) -> Mapping[str, Any] | str | None:
        """The grammar or the schema that the answer keeps to, None where it is free."""
        return self.schema if self.grammar is None else self.grammar


@dataclass(frozen=True)
class WrittenToken:
    """One token of an answer, with its log probability in nats. ``top``: the likeliest tokens there, each with its
    own. ``is_end``: the model ends its answer here."""

    id: int
    log_probability: float
    top: tuple[tuple[int, float], ...] = ()
    is_end: bool = False
