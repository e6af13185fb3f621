"""Metrics for JSON: is it JSON, does it fit the schema, is it equal, and how good is each field."""

from __future__ import annotations

import json
import math
import re
import string
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tunesmith.errors import InputError
from tunesmith.scoring.statistic import Mean, Statistic
from tunesmith.scoring.words import words

Schema = Mapping[str, Any]


class NotJson:
    """Stands for an answer that is no JSON; equal to nothing."""


NOT_JSON = NotJson()
DEEPEST = 64


def parse(text: str) -> Any:
    """The value that the whole text stands for, or NOT_JSON.

    NaN and Infinity are not JSON (RFC 8259), nor, here, is what nests deeper than DEEPEST.
    """
    try:
        value = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return NOT_JSON
    return NOT_JSON if _deeper_than(value, DEEPEST) else value


def _deeper_than(value: Any, limit: int) -> bool:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(limit):
        items = (item for outer in level for item in (outer.values() if isinstance(outer, dict) else outer))
        level = [item for item in items if isinstance(item, dict | list)]
    return bool(level)


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def measure_json(
    references: Sequence[str], answers: Sequence[str], schema: Schema | None = None
) -> dict[str, Statistic]:
    """``valid_json``, ``schema_valid`` (with a schema), ``exact_match``, ``field_f1`` and ``field_f1.NAME``.

    A missing or broken answer scores 0 in each. Raises InputError when the schema itself is broken.
    """
    due = [parse(reference) for reference in references]
    given = [parse(answer) for answer in answers]
    measures: dict[str, Statistic] = {"valid_json": _mean([value is not NOT_JSON for value in given])}
    if schema is not None:
        fits = checker(schema)
        measures["schema_valid"] = _mean([value is not NOT_JSON and fits(value) for value in given])
    pairs = list(zip(due, given, strict=True))
    measures["exact_match"] = _mean([same(reference, answer) for reference, answer in pairs])
    rows = [field_scores(reference, answer, schema) for reference, answer in pairs]
    measures["field_f1"] = _mean([sum(row.values()) / len(row) if row else 0.0 for row in rows])
    for name in field_names(due, schema):
        measures[f"field_f1.{name}"] = _mean([row.get(name, 0.0) for row in rows])
    return measures


def _mean(values: Sequence[float]) -> Mean:
    return Mean(np.array(values, dtype=np.float64))


def checker(schema: Schema) -> Callable[[Any], bool]:
    """A function that says whether a value fits the schema. Nothing is fetched from a network.

    Raises InputError, here or from the function, when the schema is broken or refers outside itself.
    """
    from jsonschema import SchemaError
    from jsonschema.validators import validator_for
    from referencing.exceptions import Unresolvable

    from tunesmith.json_schema import SlowPattern, validator

    try:
        validator_for(schema).check_schema(dict(schema))
    except SchemaError as error:
        raise _bad_schema(f"this is not a valid JSON Schema: {error.message}") from error
    checks = validator(schema)

    def fits(value: Any) -> bool:
        try:
            return bool(checks.is_valid(value))
        except SlowPattern:  # a model may answer what no person would: that does not fit
            return False
        except Unresolvable as error:
            raise _bad_schema(f"the JSON Schema refers to something outside itself ({error.ref})") from error

    return fits


def _bad_schema(what: str) -> InputError:
    return InputError("bad_schema", what, "goal.schema", "mend the schema: json-schema.org explains each keyword")


def field_names(references: Sequence[Any], schema: Schema | None) -> list[str]:
    """The fields to score: the schema's, then those that only references have, in order of appearance."""
    names = dict.fromkeys(_properties(schema, schema))
    for reference in references:
        if isinstance(reference, dict):
            names.update(dict.fromkeys(reference))
    return list(names)


def field_scores(reference: Any, answer: Any, schema: Schema | None = None) -> dict[str, float]:
    """A score from 0 to 1 for each field of the schema, the reference and the answer.

    A field that both leave out is right; one that was invented is wrong. Without an object on both
    sides every field scores 0 (or, where the reference is no object, there are none).
    """
    properties = _properties(schema, schema)
    due = reference if isinstance(reference, dict) else {}
    if not isinstance(reference, dict) and not properties:
        return {"": float(same(reference, answer))}
    if not isinstance(answer, dict):
        return dict.fromkeys([*properties, *(name for name in due if name not in properties)], 0.0)
    names = dict.fromkeys([*properties, *due, *answer])
    return {name: _field_score(due, answer, name, properties.get(name), schema) for name in names}


def _field_score(due: dict[str, Any], given: dict[str, Any], name: str, rule: Any, schema: Schema | None) -> float:
    if name not in due or name not in given:
        return float(name not in due and name not in given)
    return value_score(due[name], given[name], rule, schema)


def value_score(due: Any, given: Any, rule: Any = None, schema: Schema | None = None) -> float:
    """Free text: token F1. Objects: the mean over their fields. Lists: F1 of their items. Others: equal or not."""
    if isinstance(due, str) and isinstance(given, str) and not _is_exact(rule, schema):
        return token_f1(due, given)
    if isinstance(due, dict) and isinstance(given, dict):
        names = dict.fromkeys([*due, *given])
        rules = _properties(rule, schema)
        scores = [_field_score(due, given, name, rules.get(name), schema) for name in names]
        return sum(scores) / len(scores) if scores else 1.0
    if isinstance(due, list) and isinstance(given, list):
        return _overlap_f1([_canonical(item) for item in due], [_canonical(item) for item in given])
    return float(same(due, given))


def token_f1(reference: str, answer: str) -> float:
    """F1 of the words that two texts share, as SQuAD scores answers.

    Rajpurkar and others, "SQuAD: 100,000+ questions for machine comprehension of text", 2016: lower
    case, without punctuation and English articles. Here a word may be of any script.
    """
    return _overlap_f1(_squad_words(reference), _squad_words(answer))


_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def _squad_words(text: str) -> list[str]:
    return words(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)))


def _overlap_f1(due: Sequence[str], given: Sequence[str]) -> float:
    if not due or not given:
        return float(not due and not given)
    shared = sum((Counter(due) & Counter(given)).values())
    return 2 * shared / (len(due) + len(given))


def _canonical(value: Any) -> str:
    """Equal text for values that `same` calls equal."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, list):
        return "[" + ",".join(_canonical(item) for item in value) + "]"
    if isinstance(value, dict):
        inner = (f"{json.dumps(key)}:{_canonical(value[key])}" for key in sorted(value))
        return "{" + ",".join(inner) + "}"
    return json.dumps(value)


def same(left: Any, right: Any) -> bool:
    """Equal as JSON values: the order of keys does not matter, 1 equals 1.0, true does not equal 1."""
    if isinstance(left, NotJson) or isinstance(right, NotJson):
        return False
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left == right and math.isfinite(left)
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(same(one, other) for one, other in zip(left, right, strict=True))
    return type(left) is type(right) and bool(left == right)


def _properties(rule: Any, schema: Schema | None) -> dict[str, Any]:
    """The schema's own top-level fields, after one local ``$ref``."""
    rule = _resolved(rule, schema)
    properties = rule.get("properties") if isinstance(rule, Mapping) else None
    return dict(properties) if isinstance(properties, Mapping) else {}


def _is_exact(rule: Any, schema: Schema | None, depth: int = 0) -> bool:
    """True when a text under this rule is a code and no prose: an enum, a constant, a format or pattern."""
    rule = _resolved(rule, schema)
    if not isinstance(rule, Mapping) or depth > 8:
        return False
    if any(word in rule for word in ("enum", "const", "format", "pattern")):
        return True
    branches = [branch for word in ("anyOf", "oneOf", "allOf") for branch in rule.get(word) or ()]
    return any(_is_exact(branch, schema, depth + 1) for branch in branches)


def _resolved(rule: Any, schema: Schema | None) -> Any:
    """Follow local references such as ``#/$defs/Category``; others stay as they are."""
    for _ in range(8):
        target = rule.get("$ref") if isinstance(rule, Mapping) else None
        if not isinstance(target, str) or not target.startswith("#"):
            return rule
        rule = schema
        for step in target[1:].strip("/").split("/"):
            name = step.replace("~1", "/").replace("~0", "~")
            rule = rule.get(name) if isinstance(rule, Mapping) else None
    return rule
