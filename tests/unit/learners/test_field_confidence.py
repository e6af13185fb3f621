"""How sure a written JSON object is of each value: the probability of the tokens that the value is made of."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.answering.confidence import sure_of_choices
from tunesmith.json_schema import listed_fields
from tunesmith.learners.causal_lm.field_confidence import field_confidence, scalar_spans
from tunesmith.learners.protocol import Prediction
from tunesmith.products import GoalSheet

SCHEMA = {
    "properties": {
        "kind": {"enum": ["a", "b"]},
        "paid": {"type": "boolean"},
        "urgency": {"anyOf": [{"$ref": "#/$defs/Urgency"}, {"type": "null"}]},
        "reply": {"type": "string"},
        "open": {"anyOf": [{"enum": ["x"]}, {"type": "string"}]},
    },
    "$defs": {"Urgency": {"enum": ["low", "high"]}},
}
values = st.none() | st.booleans() | st.integers() | st.text(max_size=10) | st.lists(st.integers(), max_size=2)


def test_a_value_is_as_sure_as_its_tokens_together() -> None:
    pieces = ['{"', "kind", '": "', "de", "livery", '", "', "reply", '": ', '"hello"', "}"]
    chances = [0.9, 0.9, 0.9, 0.5, 0.8, 0.9, 0.9, 0.9, 0.3, 0.9]

    def decode(tokens: Sequence[int]) -> str:
        return "".join(pieces[token] for token in tokens)

    found = field_confidence(range(10), [math.log(one) for one in chances], decode)
    assert list(found) == ["kind", "reply"]
    assert found["kind"] == pytest.approx(0.9 * 0.5 * 0.8 * 0.9)  # with both tokens that hold its quotes
    assert found["reply"] == pytest.approx(0.3)


@given(st.dictionaries(st.text(max_size=5), values, max_size=4), st.sampled_from([None, 2]))
def test_each_scalar_value_is_found_where_it_stands(answer: dict[str, Any], indent: int | None) -> None:
    text = " " + json.dumps(answer, indent=indent, ensure_ascii=False)
    found = {name: json.loads(text[start:end]) for name, start, end in scalar_spans(text)}
    assert found == {name: value for name, value in answer.items() if not isinstance(value, list)}
    letters = [ord(letter) for letter in text]
    sure = field_confidence(letters, [-0.01] * len(letters), lambda some: "".join(map(chr, some)))
    widths = {name: end - start for name, start, end in scalar_spans(text)}
    assert sure == {name: pytest.approx(math.exp(-0.01 * width)) for name, width in widths.items()}


@pytest.mark.parametrize("text", ["", "no JSON", "[1]", '{"a": }', '{"a": 1', '{"a" 1}', "{1: 2}", '{"a": 1 "b": 2}'])
def test_what_is_no_object_has_no_fields(text: str) -> None:
    assert scalar_spans(text) == []


def test_the_fields_whose_values_are_listed_are_found_behind_references() -> None:
    assert listed_fields(SCHEMA) == ["kind", "paid", "urgency"]
    assert listed_fields({"type": "array"}) == []


def test_an_answer_is_as_sure_as_all_its_choices_together() -> None:
    goal = GoalSheet("text", "json", "", schema=SCHEMA)
    sure = {"kind": 0.5, "paid": 0.8, "reply": 0.1}
    answers = [Prediction("{}", 0.9, 3, 0.0, field_confidence=sure), Prediction("oops", 0.7, 3, 0.0)]
    assert [one.confidence for one in sure_of_choices(goal, answers)] == [pytest.approx(0.4), 0.7]
    text = GoalSheet("text", "text", "")
    assert sure_of_choices(text, answers) == answers
