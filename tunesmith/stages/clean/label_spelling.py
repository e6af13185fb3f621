"""Step `label_spelling`: case, spaces, hyphens and underscores of labels and enum values are mended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tunesmith.similarity.normal_form import normalise
from tunesmith.stages.clean.shorten import shorten


@dataclass(frozen=True)
class Spellings:
    """The known values, and which of them each loose spelling stands for."""

    known: frozenset[str]
    by_loose: Mapping[str, str]

    @classmethod
    def of(cls, values: Iterable[str]) -> Spellings:
        """Spellings that fit two known values stand for neither."""
        known = list(values)
        by_loose: dict[str, str] = {}
        for value in known:
            key = loose(value)
            by_loose[key] = "" if key in by_loose else value
        return cls(frozenset(known), {key: value for key, value in by_loose.items() if value})

    def mend(self, value: str) -> str:
        """The known value that is meant, or the value as it is."""
        return value if value in self.known else self.by_loose.get(loose(value), value)


def loose(value: str) -> str:
    """The value without regard to case and to which of space, hyphen and underscore is used."""
    return normalise(value.replace("_", " ").replace("-", " "))


def enum_spellings(schema: Mapping[str, Any] | None) -> dict[str, Spellings]:
    """The spellings of each top-level property whose values are a list of texts."""
    properties = (schema or {}).get("properties", {})
    return {
        name: Spellings.of(value for value in rule["enum"] if isinstance(value, str))
        for name, rule in properties.items()
        if isinstance(rule, Mapping) and any(isinstance(value, str) for value in rule.get("enum", ()))
    }


def mend_enums(answer: dict[str, Any], enums: Mapping[str, Spellings]) -> tuple[dict[str, Any], str | None]:
    """Mend the enum values of a JSON answer. Returns it and what was changed, or None."""
    mended, changes = dict(answer), []
    for name, spellings in enums.items():
        value = answer.get(name)
        if isinstance(value, str) and (better := spellings.mend(value)) != value:
            mended[name] = better
            changes.append(f"{name}: {shorten(value)} → {shorten(better)}")
    return mended, "; ".join(changes) or None
