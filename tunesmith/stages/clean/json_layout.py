"""Step `json_layout`: JSON answers get one layout, so that a model has one thing to learn."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def parse(text: str) -> Any:
    """Parse strict JSON. Raises ValueError with a message that a user can act on."""
    try:
        return _STRICT.decode(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg} at line {error.lineno}, column {error.colno}") from None


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _finite(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"the number {digits[:40]} is too large")
    return value


_STRICT = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)
_PLAIN = json.JSONEncoder(ensure_ascii=False)
_SORTED = json.JSONEncoder(ensure_ascii=False, sort_keys=True)


def canonical(answer: dict[str, Any], schema: Mapping[str, Any] | None) -> str:
    """Write a JSON object in one layout: keys in the schema's order, then others by name, one space after , and :."""
    ordered = in_order(answer, schema or {})
    written = _PLAIN.encode(ordered)
    try:
        written.encode("utf-8")
    except UnicodeEncodeError:  # escaped halves of a character that belong to nothing: keep them escaped
        return json.dumps(ordered)
    return written


def comparable(answer: Any) -> str:
    """The same text for JSON values that differ in layout or order of keys alone."""
    return _SORTED.encode(answer)


def in_order(value: Any, schema: Any) -> Any:
    """The value with the keys of its objects in the schema's order, at every level."""
    rules = schema if isinstance(schema, Mapping) else {}
    if isinstance(value, list):
        return [in_order(item, rules.get("items")) for item in value]
    if not isinstance(value, dict):
        return value
    properties = rules.get("properties", {})
    keys = [key for key in properties if key in value]
    keys += sorted(key for key in value if key not in properties)
    return {
        key: in_order(item, properties.get(key)) if isinstance(item := value[key], (dict, list)) else item
        for key in keys
    }
