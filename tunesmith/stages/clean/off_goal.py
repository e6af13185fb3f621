"""Step `off_goal`: answers that are none of the goal's labels, or do not fit its schema."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from jsonschema.exceptions import best_match
from referencing.exceptions import Unresolvable

from tunesmith.errors import InputError
from tunesmith.json_schema import validator
from tunesmith.stages.clean.empty import is_blank_value
from tunesmith.stages.clean.shorten import shorten, writable

#: Looking for the nearest label takes a millisecond: a data set of wrong labels must not take an hour.
NEAREST_LOOKED_UP = 1000


class LabelCheck:
    """Whether an answer is one of the labels."""

    def __init__(self, labels: tuple[str, ...]) -> None:
        self._labels = labels
        self._known = frozenset(labels)
        self._nearest: dict[str, str] = {}

    def fault(self, answer: str) -> str | None:
        if not self._labels or answer in self._known:
            return None
        nearest = self._look_up(answer)
        hint = f"; the nearest is {shorten(nearest)}" if nearest else ""
        return f"{shorten(answer)} is not one of the {len(self._labels)} labels{hint}"

    def _look_up(self, answer: str) -> str:
        if answer not in self._nearest:
            longest = max(len(label) for label in self._labels)
            if len(answer) > 2 * longest + 20 or len(self._nearest) >= NEAREST_LOOKED_UP:
                return ""
            by_lower = {label.lower(): label for label in self._labels}
            found = get_close_matches(answer.strip().lower(), by_lower, n=1, cutoff=0.6)
            self._nearest[answer] = by_lower[found[0]] if found else ""
        return self._nearest[answer]


class SchemaCheck:
    """Whether a JSON answer fits the goal's schema. Nothing is fetched: references lead inside it."""

    def __init__(self, schema: Mapping[str, Any] | None) -> None:
        self._schema = schema
        if schema is not None:
            self._validator = validator(schema)

    def fault(self, answer: Any) -> str | None:
        """Say what does not fit, or None. Raises SlowPattern where a pattern of the schema takes too long."""
        if self._schema is None:
            return None
        try:
            error = next(self._validator.iter_errors(answer), None)
            if error is not None:
                error = best_match(self._validator.iter_errors(answer))
        except Unresolvable as unknown:
            raise InputError(
                "bad_schema",
                f"the goal's schema refers to what is not in it ({unknown})",
                "tunesmith.yaml: goal.schema",
                "put the definition into the schema itself, below $defs",
            ) from unknown
        if error is not None:
            return f"{error.json_path}: {_cut(error.message)}"
        return self._blank_field(answer, self._schema)

    @staticmethod
    def _blank_field(answer: Any, schema: Mapping[str, Any]) -> str | None:
        """A schema's "string" is content with an empty text; who asks for a field is not."""
        if not isinstance(answer, dict):
            return None
        for name in schema.get("required", ()):
            if is_blank_value(answer.get(name)) and answer[name] not in _allowed(schema, name):
                return f"$.{name}: this required field is empty"
        return None


def _allowed(schema: Mapping[str, Any], name: str) -> list[Any]:
    rule = schema.get("properties", {}).get(name)
    return [*rule.get("enum", ()), rule.get("const")] if isinstance(rule, Mapping) else []


def _cut(message: str, characters: int = 200) -> str:
    return writable(message if len(message) <= characters else message[:characters].rstrip() + "…")
