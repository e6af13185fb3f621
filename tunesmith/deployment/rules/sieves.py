"""What rules find in texts that can be taken out again: words, patterns, repetitions, private data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tunesmith.deployment.rules.spans import Place
from tunesmith.privacy.growing import REACH, open_from
from tunesmith.privacy.mask import Masker
from tunesmith.privacy.name_finder import find_names
from tunesmith.privacy.span import NAME_KINDS, Kind

#: What stands for what was taken out; private values have placeholders such as [EMAIL_1].
STAND_IN = "[…]"


class Finder(Protocol):
    """Finds places in texts; see `window.Sieve` for ``reach`` and ``open_from``."""

    reach: int

    def spans(self, text: str, start: int = 0) -> list[Place]: ...

    def open_from(self, text: str, start: int = 0) -> int: ...


class Found:
    """A sieve of what a finder finds."""

    def __init__(self, finder: Finder) -> None:
        self._finder = finder
        self.reach = finder.reach

    def open_from(self, text: str, start: int) -> int:
        return self._finder.open_from(text, start)

    def changed(self, before: str, text: str, after: str) -> str | None:
        begin, end = len(before), len(before) + len(text)
        seen = before + text + after
        pieces, at = [], begin
        for start, stop in self._finder.spans(seen, begin):
            if start >= end:
                break
            pieces += [seen[at : max(at, start)], STAND_IN]
            at = stop
        return "".join((*pieces, seen[at:end])) if pieces else None


class Private:
    """A sieve of private data. One value has one placeholder in all texts that pass it.

    ``texts``: placeholders in them stand for something else. With kinds that are names nothing is settled before the
    end, since a model of the language reads whole texts.
    """

    def __init__(self, kinds: frozenset[Kind], texts: Sequence[str] = ()) -> None:
        self._kinds = kinds
        self._names = frozenset(kinds & set(NAME_KINDS))
        self._masker = Masker(dict.fromkeys(kinds, "mask"))
        self._texts = tuple(texts)
        self._example = self._masker.example(self._texts)
        self.reach = REACH

    def open_from(self, text: str, start: int) -> int:
        return start if self._names else open_from(text, self._kinds, self._masker.regions, start)

    def changed(self, before: str, text: str, after: str) -> str | None:
        if self._names:
            self._example.know([name for found in find_names([[text]], self._names) for name in found])
        masked = self._example.mask(text, before, after)
        return masked.text if masked.layers else None
