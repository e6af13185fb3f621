"""Style `letter_case`: one value of a field in several spellings: case, and space against - and _."""

from __future__ import annotations

from collections import Counter

from tunesmith.stages.clean.label_spelling import loose

LONGEST = 60
MOST_WORDS = 5
#: More different values are texts, not values that come back.
MOST_VALUES = 5_000
SHARE_DIFFERENT = 0.5


class FieldValues:
    """The values of one field, where they come back."""

    def __init__(self) -> None:
        self.rows = 0
        self._values: Counter[str] | None = Counter()

    def note(self, text: str) -> None:
        self.rows += 1
        if self._values is None:
            return
        if len(text) > LONGEST or text.count(" ") >= MOST_WORDS:
            self._values = None  # a field of prose
            return
        self._values[text.strip()] += 1
        if len(self._values) > MOST_VALUES:
            self._values = None

    def spellings(self) -> dict[str, str]:
        """The commonest spelling for each other one; empty where the field is prose or its values do not come back."""
        if self._values is None:
            return {}
        by_loose: dict[str, list[str]] = {}
        for value in self._values:
            by_loose.setdefault(loose(value), []).append(value)
        if len(by_loose) > SHARE_DIFFERENT * self.rows:
            return {}
        found = {}
        for spelled in by_loose.values():
            if len(spelled) > 1:
                best = min(spelled, key=lambda value: (-self.times(value), value))
                found.update({value: best for value in spelled if value != best})
        return found

    def times(self, value: str) -> int:
        return self._values[value] if self._values else 0
