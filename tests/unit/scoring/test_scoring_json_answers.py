"""JSON: what counts as JSON, as fitting, as equal, and how fields are scored."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.errors import InputError
from tunesmith.scoring.json_answers import (
    NOT_JSON,
    checker,
    field_scores,
    measure_json,
    parse,
    same,
    token_f1,
    value_score,
)

SCHEMA = {
    "type": "object",
    "properties": {
        "category": {"enum": ["billing", "delivery"]},
        "amount": {"type": "number"},
        "paid": {"type": "boolean"},
        "reply": {"type": "string"},
    },
    "required": ["category", "reply"],
}
REFERENCE = '{"category": "billing", "amount": 12.5, "paid": true, "reply": "We mend the charge today."}'
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def estimates(references: list[str], answers: list[str], schema: Any = None) -> dict[str, float]:
    return {name: statistic.estimate() for name, statistic in measure_json(references, answers, schema).items()}


def test_a_perfect_answer_scores_one_everywhere() -> None:
    found = estimates([REFERENCE], [REFERENCE], SCHEMA)
    assert set(found.values()) == {1.0}
    assert list(found) == [
        "valid_json", "schema_valid", "exact_match", "field_f1",
        "field_f1.category", "field_f1.amount", "field_f1.paid", "field_f1.reply",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "answer",
    ["", "Sure! {}", "```json\n{}\n```", "{'a': 1}", '{"a": 1', "NaN", '{"a": Infinity}', "[" * 5000, "9" * 5000],
)
def test_what_is_no_json_scores_zero_everywhere(answer: str) -> None:
    assert set(estimates([REFERENCE], [answer], SCHEMA).values()) == {0.0}


def test_an_answer_nested_too_deep_is_no_json() -> None:
    assert parse("[" * 60 + "]" * 60) is not NOT_JSON
    assert parse("[" * 90 + "]" * 90) is NOT_JSON
    assert parse('{"a":' * 90 + "1" + "}" * 90) is NOT_JSON


def test_an_answer_may_be_json_and_not_fit_the_schema() -> None:
    found = estimates([REFERENCE], ['{"category": "weather", "reply": "?"}'], SCHEMA)
    assert (found["valid_json"], found["schema_valid"], found["exact_match"]) == (1.0, 0.0, 0.0)


def test_the_order_of_keys_does_not_matter_and_true_is_not_one() -> None:
    assert same({"a": 1, "b": [1.0, "x"]}, {"b": [1, "x"], "a": 1.0})
    assert not same({"a": True}, {"a": 1})
    assert not same([1, 2], [2, 1])
    assert not same("1", 1)
    assert not same(None, False)


def test_codes_and_numbers_are_right_or_wrong_and_prose_scores_by_words() -> None:
    answer = json.dumps({"category": "delivery", "amount": 12.5, "paid": False, "reply": "We mend it today."})
    found = field_scores(json.loads(REFERENCE), json.loads(answer), SCHEMA)
    assert found["category"] == 0.0
    assert found["amount"] == 1.0
    assert found["paid"] == 0.0
    assert found["reply"] == pytest.approx(2 * 3 / (4 + 4))  # "the" is an article; we, mend, today are shared
    means = estimates([REFERENCE], [answer], SCHEMA)
    assert means["field_f1"] == pytest.approx((0 + 1 + 0 + 0.75) / 4)
    assert means["field_f1.reply"] == pytest.approx(0.75)


def test_a_missing_field_and_an_invented_one_are_wrong_and_one_that_both_leave_out_is_right() -> None:
    schema = {"properties": {"a": {}, "b": {}}}
    assert field_scores({"a": "x"}, {}, schema) == {"a": 0.0, "b": 1.0}
    assert field_scores({"a": "x"}, {"a": "x", "c": 1}, schema) == {"a": 1.0, "b": 1.0, "c": 0.0}


def test_without_a_schema_the_fields_come_from_the_references() -> None:
    found = estimates(['{"a": 1}', '{"b": "x"}'], ['{"a": 1}', '{"b": "y"}'])
    assert "schema_valid" not in found
    assert (found["field_f1.a"], found["field_f1.b"]) == (0.5, 0.0)


def test_an_enum_behind_a_reference_is_a_code() -> None:
    schema = {
        "properties": {"kind": {"anyOf": [{"$ref": "#/$defs/Kind"}, {"type": "null"}]}},
        "$defs": {"Kind": {"enum": ["not paid", "paid"]}},
    }
    assert field_scores({"kind": "not paid"}, {"kind": "paid"}, schema) == {"kind": 0.0}
    assert field_scores({"kind": "not paid"}, {"kind": "paid"}) == {"kind": pytest.approx(2 / 3)}


def test_nested_objects_and_lists_are_scored_by_their_parts() -> None:
    assert value_score({"a": 1, "b": 2}, {"a": 1, "b": 3}) == 0.5
    assert value_score(["red", "green"], ["green", "blue"]) == 0.5
    assert value_score([{"n": 1.0}], [{"n": 1}]) == 1.0
    assert value_score([], []) == 1.0
    assert value_score([], ["x"]) == 0.0


def test_references_that_are_no_objects_are_compared_whole() -> None:
    assert estimates(["[1, 2]", "3"], ["[1, 2]", "4"])["field_f1"] == 0.5


def test_token_f1_equals_the_squad_example() -> None:
    assert token_f1("the Denver Broncos", "Denver Broncos!") == 1.0
    assert token_f1("Denver Broncos", "the Broncos team") == pytest.approx(0.5)
    assert token_f1("", "") == 1.0
    assert token_f1("yes", "") == 0.0
    assert token_f1("größe zwei", "Größe drei") == 0.5


def test_a_broken_schema_is_told_as_an_input_error() -> None:
    with pytest.raises(InputError, match="not a valid JSON Schema") as caught:
        checker({"type": "strang"})
    assert caught.value.code == "bad_schema"


def test_a_schema_that_refers_to_the_network_is_refused_and_nothing_is_fetched() -> None:
    fits = checker({"$ref": "https://example.invalid/schema.json"})
    with pytest.raises(InputError, match="outside itself"):
        fits({})


@given(values)
def test_every_value_is_the_same_as_itself_after_a_round_trip(value: Any) -> None:
    assert same(value, json.loads(json.dumps(value)))
    assert value_score(value, json.loads(json.dumps(value))) == 1.0


@given(values, values)
def test_scores_stay_between_zero_and_one(due: Any, given_: Any) -> None:
    found = measure_json([json.dumps(due)], [json.dumps(given_)])
    assert all(0 <= statistic.estimate() <= 1 for statistic in found.values())


@given(st.text())
def test_any_text_can_be_scored(text: str) -> None:
    found = measure_json([REFERENCE], [text], SCHEMA)
    assert found["field_f1"].estimate() <= 1
