"""How sure a written JSON object is of each of its short values, by the probabilities of their tokens."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

#: A longer text is prose: what its every word was worth says nothing about whether it is right.
LONGEST_CODE = 64
_SPACE = " \t\r\n"


def field_confidence(
    tokens: Sequence[int], log_probabilities: Sequence[float], decode: Callable[[Sequence[int]], str]
) -> dict[str, float]:
    """The probability of each top-level value that is a short text, number, truth or null: of all its tokens together.

    ``log_probabilities`` are those of ``tokens``, each given the ones before. A token that also holds the quote or
    comma beside the value counts, since the value hangs on it. What is no JSON object has none.
    """
    text = decode(tokens)
    found = {}
    for name, start, end in scalar_spans(text):
        first = _tokens_within(tokens, start, decode)
        last = min(len(tokens), _tokens_within(tokens, end - 1, decode) + 1)
        found[name] = math.exp(min(0.0, sum(log_probabilities[first:last])))
    return found


def _tokens_within(tokens: Sequence[int], place: int, decode: Callable[[Sequence[int]], str]) -> int:
    """How many leading tokens end at or before the character at ``place``: the place of the token that holds it."""
    low, high = 0, len(tokens)
    while low < high:
        middle = (low + high + 1) // 2
        if len(decode(tokens[:middle])) <= place:
            low = middle
        else:
            high = middle - 1
    return low


def scalar_spans(text: str) -> list[tuple[str, int, int]]:
    """The top-level fields of a JSON object with a short scalar value: name, and where the value begins and ends."""
    try:
        return _spans(text)
    except (ValueError, IndexError, RecursionError):
        return []


def _spans(text: str) -> list[tuple[str, int, int]]:
    decoder = json.JSONDecoder()
    found = []
    at = _skip(text, 0)
    if text[at] != "{":
        return []
    at = _skip(text, at + 1)
    while text[at] != "}":
        if text[at] != '"':
            return []
        name, at = scanstring(text, at + 1)
        at = _skip(text, at)
        if text[at] != ":":
            return []
        start = _skip(text, at + 1)
        value, end = decoder.raw_decode(text, start)
        if _is_code(value):
            found.append((name, start, end))
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
        elif text[at] != "}":
            return []
    return found


def _is_code(value: Any) -> bool:
    return (
        value is None
        or isinstance(value, bool | int | float)
        or (isinstance(value, str) and len(value) <= LONGEST_CODE)
    )


def _skip(text: str, at: int) -> int:
    while text[at] in _SPACE:
        at += 1
    return at
