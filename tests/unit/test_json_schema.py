"""Schemas whose patterns never end are stopped; all other schemas say what jsonschema says."""

from __future__ import annotations

import time
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith import json_schema
from tunesmith.json_schema import SlowPattern, bad_patterns, validator

BOMB = r"^(a|a)*$"
ENDLESS = "a" * 50 + "b"


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_schema, "PATTERN_SECONDS", 0.05)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"properties": {"code": {"pattern": BOMB}}}, {"code": ENDLESS}),
        ({"patternProperties": {BOMB: {"type": "string"}}}, {ENDLESS: "x"}),
        ({"patternProperties": {BOMB: True}, "additionalProperties": False}, {ENDLESS: "x"}),
        ({"propertyNames": {"pattern": BOMB}}, {ENDLESS: "x"}),
        ({"items": {"anyOf": [{"pattern": BOMB}]}}, [ENDLESS]),
        (
            {"$schema": "https://json-schema.org/draft/2020-12/schema", "pattern": BOMB, "items": {"$ref": "#"}},
            [ENDLESS],
        ),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "pattern": BOMB}, ENDLESS),
    ],
)
def test_a_pattern_that_never_ends_is_stopped_and_named(schema: dict[str, Any], value: Any, short: None) -> None:
    began = time.process_time()
    with pytest.raises(SlowPattern) as stopped:
        list(validator(schema).iter_errors(value))
    assert time.process_time() - began < 2
    assert stopped.value.pattern == BOMB
    assert repr(BOMB) in str(stopped.value)


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.text("abx1", max_size=4)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text("abx1", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
SCHEMAS = [
    {"type": "object", "properties": {"a": {"pattern": "^a+$"}}, "additionalProperties": False},
    {"patternProperties": {"^a": {"type": "string"}, "b$": {"pattern": "x"}}, "additionalProperties": {"type": "null"}},
    {"patternProperties": {"^a": {"type": "string"}, "1": True}, "additionalProperties": False},
    {"items": {"$ref": "#/$defs/one"}, "$defs": {"one": {"propertyNames": {"pattern": "[ab]"}}}},
    {"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"a": {"$ref": "#"}}, "pattern": "a|1"},
]


@pytest.mark.parametrize("schema", SCHEMAS)
@given(value=VALUES)
def test_values_are_judged_as_by_jsonschema(schema: dict[str, Any], value: Any) -> None:
    plain = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)(schema)
    told = [sorted((one.message, one.json_path) for one in by.iter_errors(value)) for by in (validator(schema), plain)]
    assert told[0] == told[1]


def test_patterns_that_are_none_are_told() -> None:
    schema = {
        "properties": {"pattern": {"pattern": "("}, "fine": {"pattern": "a", "enum": [{"pattern": ")"}]}},
        "items": [{"patternProperties": {"[": {}}}],
    }
    told = sorted(bad_patterns(schema))
    assert [words[:3] for words in told] == ["'('", "'['"]
