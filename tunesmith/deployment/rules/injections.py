"""Prompt injections: texts that want to take a model's instructions away, or to get at them.

The patterns are data (`injections.toml`), each with texts that it must catch and texts that it must let pass.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from tunesmith.deployment.rules.folded import fold, in_words
from tunesmith.deployment.rules.patterns import compiled


@dataclass(frozen=True)
class Injection:
    """One pattern. ``of_words``: it is held against the words alone, with a space before and after each."""

    name: str
    language: str
    pattern: str
    of_words: bool
    caught: tuple[str, ...]
    passes: tuple[str, ...]


@cache
def known() -> tuple[Injection, ...]:
    """All patterns of the list."""
    parts = files("tunesmith.deployment.rules").joinpath("injections.toml").read_text(encoding="utf-8")
    data = tomllib.loads(parts)
    names: dict[str, str] = data["names"]
    return tuple(_injection(item, names) for item in data["pattern"])


def _injection(item: dict[str, Any], names: dict[str, str]) -> Injection:
    pattern = item["pattern"]
    for name, meaning in names.items():
        pattern = pattern.replace(f"{{{name}}}", f"(?:{meaning})")
    return Injection(
        item["name"],
        item["language"],
        pattern,
        item.get("of", "words") == "words",
        tuple(item["caught"]),
        tuple(item["passes"]),
    )


@lru_cache(maxsize=8)
def _together(languages: frozenset[str] | None, of_words: bool) -> Any:
    """One pattern for all of the list, so that a text is read once."""
    chosen = [
        one.pattern for one in known() if one.of_words == of_words and (languages is None or one.language in languages)
    ]
    return compiled("|".join(f"(?:{pattern})" for pattern in chosen)) if chosen else None


def is_injection(text: str, languages: Collection[str] | None = None) -> bool:
    """Whether a text has one of the patterns. ``languages``: None for all that the list has."""
    chosen = None if languages is None else frozenset(languages)
    of_words, of_text = _together(chosen, True), _together(chosen, False)
    forms = dict.fromkeys((fold(text, look_alikes=False).text, fold(text).text))
    return any(
        (of_text is not None and of_text.search(form) is not None)
        or (of_words is not None and of_words.search(in_words(form)) is not None)
        for form in forms
    )
