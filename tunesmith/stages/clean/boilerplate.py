"""Step `boilerplate`: answers in which another model speaks of itself, refuses, or leaves its fillers and slots."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from functools import cache
from importlib.resources import files
from typing import Literal

from tunesmith.stages.clean.shorten import shorten
from tunesmith.stages.clean.texts import Key, RowTexts

Kind = Literal["model", "refusal", "opening", "closing", "slot"]

#: Fillers that so many answers have are how they are written.
USUAL = 0.5
FEWEST = 20
#: How much of an answer's beginning and end is looked at.
EDGE = 600

_WORDS: dict[Kind, str] = {
    "model": "a model speaks of itself",
    "refusal": "a model refuses",
    "opening": "a model's way to begin",
    "closing": "a model's way to end",
    "slot": "a slot that nobody filled",
}
_ALWAYS: frozenset[Kind] = frozenset({"model", "refusal", "slot"})


class BoilerplateLook:
    """Whether an answer has a model's boilerplate; fillers that most answers have are their style."""

    code = "boilerplate"

    def __init__(self) -> None:
        self._texts: Counter[Key] = Counter()
        self._with: Counter[tuple[Key, Kind]] = Counter()

    def note(self, row: RowTexts) -> None:
        for text in row.answers:
            self._texts[text.key] += 1
            if found := find(text.text):
                self._with[text.key, found[0]] += 1

    def settle(self) -> None:
        """The counts are the rule."""

    def evidence(self, row: RowTexts) -> str | None:
        for text in row.answers:
            if (found := find(text.text)) and not self._is_style(text.key, found[0]):
                return f"{_WORDS[found[0]]} in {text.name}: {shorten(found[1], 80)}"
        return None

    def _is_style(self, key: Key, kind: Kind) -> bool:
        usual = self._texts[key] >= FEWEST and self._with[key, kind] >= USUAL * self._texts[key]
        return usual and kind not in _ALWAYS


def find(text: str) -> tuple[Kind, str] | None:
    """The first boilerplate of an answer: its kind and its words."""
    edges = text if len(text) <= 2 * EDGE else f"{text[:EDGE]}\n{text[-EDGE:]}"
    lower = edges.strip().lower().replace("’", "'")
    for needle, patterns in _by_needle().items():
        if needle in lower:
            for kind, pattern in patterns:
                if match := pattern.search(lower):
                    return kind, match.group()
    return None


@cache
def _by_needle() -> dict[str, list[tuple[Kind, re.Pattern[str]]]]:
    text = (files("tunesmith.stages.clean") / "boilerplate.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    found: dict[str, list[tuple[Kind, re.Pattern[str]]]] = {}
    for phrase in data["phrase"]:
        pattern = phrase["pattern"]
        for name, part in data["parts"].items():
            pattern = pattern.replace(f"<{name}>", part)
        found.setdefault(phrase["needle"], []).append((phrase["kind"], re.compile(pattern)))
    return found
