"""Step `language`: texts in another language than the rest of their kind."""

from __future__ import annotations

from collections import Counter, defaultdict

from tunesmith.language import Language, is_other, language_of
from tunesmith.stages.clean.texts import Key, RowTexts

#: The rest is in one language when so many of the texts that can be told are in it.
ONE_LANGUAGE = 0.9
FEWEST = 20


class LanguageLook:
    """Whether a text is in another language than nearly all texts of its side and field."""

    code = "language"

    def __init__(self) -> None:
        self._seen: defaultdict[Key, Counter[str]] = defaultdict(Counter)
        self._names: dict[str, str] = {}
        self._rest: dict[Key, tuple[str, float]] = {}

    def note(self, row: RowTexts) -> None:
        for text in row.all:
            if found := language_of(text.text):
                self._seen[text.key][found.code] += 1
                self._names[found.code] = found.name

    def settle(self) -> None:
        """Find the language of each side and field; where there are several, nothing is flagged."""
        for key, seen in self._seen.items():
            code, times = seen.most_common(1)[0]
            if seen.total() >= FEWEST and times >= ONE_LANGUAGE * seen.total():
                self._rest[key] = code, times / seen.total()

    def evidence(self, row: RowTexts) -> str | None:
        for text in row.all:
            if text.key in self._rest:
                code, share = self._rest[text.key]
                found = language_of(text.text, code)
                if found is not None and is_other(found.code, code):
                    return f"{text.name} looks {_told(found)}; {share:.1%} of the others are {self._names[code]}"
        return None


def _told(found: Language) -> str:
    return f"{found.name} ({found.share}% of it)"
