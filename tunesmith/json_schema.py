"""Values held against a JSON Schema, with a limit on the time that its patterns may take.

A pattern such as ``(a+)+$`` takes twice as long for each letter more, and Python's own ``re`` cannot be stopped.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jsonschema
import regex
from jsonschema.exceptions import ValidationError
from referencing.jsonschema import EMPTY_REGISTRY

#: Seconds of the processor that one pattern may take for one text.
PATTERN_SECONDS = 1.0
#: Keywords that hold data and no schema.
_DATA = ("const", "default", "enum", "examples")


#: What to do about a pattern that takes too long.
SIMPLER = "write the pattern of the goal's schema without repeats inside repeats, such as (a+)+ or (a|a)*"


class SlowPattern(Exception):
    """A pattern took longer for a text than it may."""

    def __init__(self, pattern: str, text: str) -> None:
        super().__init__(pattern, text)
        self.pattern = pattern
        self.characters = len(text)

    def __str__(self) -> str:
        return (
            f"the pattern {self.pattern!r} takes more than {PATTERN_SECONDS:g} s for a text of "
            f"{self.characters:,} characters"
        )


def validator(schema: Mapping[str, Any], default: Any = None) -> Any:
    """What checks values against the schema, by the dialect that it names. Nothing is fetched: references lead inside.

    Checking a value raises SlowPattern where a pattern takes too long. ``default`` is the dialect of a schema that
    names none.
    """
    kind = jsonschema.validators.validator_for(schema, default=default or jsonschema.Draft202012Validator)
    return _bounded(kind)(_without_dialects(schema), registry=EMPTY_REGISTRY)


def bad_patterns(schema: Any) -> Iterator[str]:
    """Say what is wrong with each pattern of a schema that cannot be used."""
    for pattern in _patterns(schema):
        try:
            regex.compile(pattern)
        except regex.error as error:
            yield f"{pattern!r} is not a regular expression: {error}"


def uses(schema: Any, keyword: str) -> bool:
    """Whether a keyword stands anywhere in the schema."""
    return any(keyword in block for block in _blocks(schema))


def listed_fields(schema: Mapping[str, Any]) -> list[str]:
    """The top-level fields whose values the schema lists: an enum, a constant, or true and false."""
    properties = _resolved(schema, schema).get("properties")
    if not isinstance(properties, Mapping):
        return []
    return [name for name, rule in properties.items() if _lists_values(rule, schema)]


def _lists_values(rule: Any, schema: Mapping[str, Any], depth: int = 0) -> bool:
    """Whether all values that a rule allows are listed."""
    rule = _resolved(rule, schema)
    if depth > 8:
        return False
    if "enum" in rule or "const" in rule or rule.get("type") in ("boolean", "null"):
        return True
    branches = [branch for word in ("anyOf", "oneOf") for branch in rule.get(word) or ()]
    return bool(branches) and all(_lists_values(branch, schema, depth + 1) for branch in branches)


def _resolved(rule: Any, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow local references such as ``#/$defs/Category``; what is no object is an empty one."""
    for _ in range(8):
        target = rule.get("$ref") if isinstance(rule, Mapping) else None
        if not isinstance(target, str) or not target.startswith("#"):
            break
        rule = schema
        for step in filter(None, target[1:].split("/")):
            rule = rule.get(step.replace("~1", "/").replace("~0", "~"), {}) if isinstance(rule, Mapping) else {}
    return rule if isinstance(rule, Mapping) else {}


def _blocks(schema: Any) -> Iterator[Mapping[str, Any]]:
    """The schema and all that it is made of, as far as these are objects."""
    waiting = [schema]
    while waiting:
        block = waiting.pop()
        if isinstance(block, Mapping):
            yield block
            waiting += [value for key, value in block.items() if key not in _DATA]
        elif isinstance(block, list):
            waiting += block


def _patterns(schema: Any) -> Iterator[str]:
    for block in _blocks(schema):
        if isinstance(block.get("pattern"), str):
            yield block["pattern"]
        if isinstance(block.get("patternProperties"), Mapping):
            yield from block["patternProperties"]


def _without_dialects(schema: Any) -> Any:
    """The schema without the names of dialects in it: a reference to such a part would be checked without limits."""
    if isinstance(schema, Mapping):
        kept = ((key, value) for key, value in schema.items() if key != "$schema" or not isinstance(value, str))
        return {key: value if key in _DATA else _without_dialects(value) for key, value in kept}
    return [_without_dialects(item) for item in schema] if isinstance(schema, list) else schema


@functools.cache
def _bounded(kind: Any) -> Any:
    keywords = {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
    }
    return jsonschema.validators.extend(kind, keywords)  # type: ignore[no-untyped-call]


def _found(pattern: str, text: str) -> bool:
    try:
        return _compiled(pattern).search(text, timeout=PATTERN_SECONDS) is not None
    except TimeoutError:
        raise SlowPattern(pattern, text) from None


@functools.lru_cache(maxsize=512)
def _compiled(pattern: str) -> Any:
    return regex.compile(pattern)


# What follows is what jsonschema does for these keywords, with searches that end.


def _pattern(checks: Any, pattern: str, value: Any, schema: Any) -> Iterator[ValidationError]:
    if checks.is_type(value, "string") and not _found(pattern, value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


def _pattern_properties(checks: Any, patterns: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    if not checks.is_type(value, "object"):
        return
    for pattern, rule in patterns.items():
        for key, item in value.items():
            if _found(pattern, key):
                yield from checks.descend(item, rule, path=key, schema_path=pattern)


def _additional_properties(checks: Any, rule: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    if not checks.is_type(value, "object"):
        return
    patterns = schema.get("patternProperties", {})
    known = schema.get("properties", {})
    extras = [key for key in value if key not in known and not any(_found(pattern, key) for pattern in patterns)]
    if checks.is_type(rule, "object"):
        for extra in extras:
            yield from checks.descend(value[extra], rule, path=extra)
    elif not rule and extras:
        yield ValidationError(_too_many(sorted(extras), sorted(patterns)))


def _too_many(extras: Sequence[str], patterns: Sequence[str]) -> str:
    named = ", ".join(map(repr, extras))
    if patterns:
        verb = "does" if len(extras) == 1 else "do"
        return f"{named} {verb} not match any of the regexes: {', '.join(map(repr, patterns))}"
    verb = "was" if len(extras) == 1 else "were"
    return f"Additional properties are not allowed ({named} {verb} unexpected)"
