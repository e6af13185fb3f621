"""Read labels or a JSON Schema from the data, when the goal does not give them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tunesmith.errors import InputError
from tunesmith.privacy.find import find
from tunesmith.privacy.mask import masked_text
from tunesmith.products import Collection
from tunesmith.stages.goal.settings import GoalSettings

#: A value seen in fewer rows is taken for a slip, not for a label.
ROWS_A_LABEL = 3
MOST_LABELS = 1000
MOST_ENUM_VALUES = 50
SCHEMA_FILE = "answer.schema.json"


@dataclass(frozen=True)
class Inferred:
    """What was read from the data, with words that tell it and what was ``left`` out."""

    words: str
    left: str = ""
    labels: tuple[str, ...] | None = None
    schema: dict[str, Any] | None = None
    schema_file: str = SCHEMA_FILE


def infer(settings: GoalSettings, collection: Collection) -> Inferred | None:
    """Labels for output: label, a schema for output: json; None when the goal has them or needs none."""
    if settings.output == "label" and settings.labels is None:
        return _labels(example.answer or "" for example in collection.examples())
    if settings.output == "json" and settings.schema_ is None:
        return _schema((example.answer or "", example.source.where) for example in collection.examples())
    return None


def spelling_key(value: str) -> str:
    """Spellings that differ in case, outer spaces, or space against - and _ are one label."""
    return "_".join(value.casefold().replace("-", " ").replace("_", " ").split())


def common_spellings(values: Iterable[str]) -> Counter[str]:
    """Each label in its commonest spelling, with the rows of all its spellings."""
    spellings: dict[str, Counter[str]] = {}
    for value in values:
        if value.strip():
            spellings.setdefault(spelling_key(value), Counter())[value.strip()] += 1
    return Counter({counts.most_common(1)[0][0]: counts.total() for counts in spellings.values()})


def _labels(answers: Iterable[str]) -> Inferred:
    found = common_spellings(answers)
    labels = sorted(label for label, rows in found.items() if rows >= ROWS_A_LABEL)
    rare = sorted(label for label, rows in found.items() if rows < ROWS_A_LABEL)
    where = "tunesmith.yaml: goal.output"
    if len(found) > MOST_LABELS or found.total() < 2 * len(found):
        raise InputError(
            "not_labels",
            f"{len(found):,} different answers in {found.total():,} rows do not look like labels",
            where,
            "set goal.output: text, or list goal.labels",
        )
    if len(labels) < 2:
        raise InputError(
            "one_label",
            f"only {len(labels)} label has at least {ROWS_A_LABEL} rows ({', '.join(labels) or 'none'})",
            where,
            "a model that sorts needs at least two labels with examples of each",
        )
    left = f"; fewer than {ROWS_A_LABEL} rows, so not taken: {', '.join(map(masked_text, rare[:10]))}" if rare else ""
    return Inferred(f"{len(labels)} labels read from the data", left, labels=tuple(labels))


def _schema(answers: Iterable[tuple[str, str]]) -> Inferred:
    """A schema that most answers fit. ``answers`` come with their places."""
    values: dict[str, list[Any]] = {}
    objects = rows = 0
    first_other = ""
    for answer, place in answers:
        rows += bool(answer.strip())
        try:
            parsed = json.loads(answer)
        except (ValueError, RecursionError):
            parsed = None
        if not isinstance(parsed, dict) and answer.strip():
            first_other = first_other or f"; the first other one is {masked_text(answer[:240])[:60]!r} at {place}"
        if isinstance(parsed, dict):
            objects += 1
            for key, value in parsed.items():
                values.setdefault(key, []).append(value)
    if objects < max(1, rows / 2):
        raise InputError(
            "not_json",
            f"only {objects:,} of {rows:,} answers are JSON objects{first_other}",
            "tunesmith.yaml: goal.output",
            "set goal.output: text, or name the columns that make the object: collect: [{path: …, output: [a, b]}]",
        )
    properties = {key: _property(found) for key, found in values.items() if len(found) >= ROWS_A_LABEL}
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
        "required": [key for key in properties if len(values[key]) >= 0.95 * objects],
        "additionalProperties": False,
    }
    return Inferred(
        f"a schema with the fields {', '.join(properties)} read from the data",
        schema=schema,
    )


def _property(values: list[Any]) -> Mapping[str, Any]:
    """The rules of one field: its type, and its values when they are few and come back."""
    kinds = Counter(_json_type(value) for value in values)
    kind = kinds.most_common(1)[0][0]
    if kind == "integer" and kinds["number"]:
        kind = "number"
    if kind != "string":
        return {"type": kind}
    spellings = common_spellings(value for value in values if isinstance(value, str))
    frequent = sorted(value for value, rows in spellings.items() if rows >= ROWS_A_LABEL)
    covered = sum(spellings[value] for value in frequent)
    few = 2 <= len(frequent) <= MOST_ENUM_VALUES and covered >= 0.9 * max(1, spellings.total())
    if few and not any(find(value) for value in frequent):  # private values are no choices to be written down
        return {"type": "string", "enum": frequent}
    return {"type": "string"}


def _json_type(value: Any) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")
