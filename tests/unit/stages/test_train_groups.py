"""What each group of validation rows gained: no row is lost or counted twice, and small groups are told together."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunesmith.example import Example, Message, Source, make_example
from tunesmith.learners.protocol import RowOutcome
from tunesmith.products import GoalSheet, GroupGain
from tunesmith.scoring.groups import MOST
from tunesmith.stages.train.groups import FEWEST, group_gains

LABEL = GoalSheet("text", "label", "Sort.", ("a", "b", "c"))
TEXT = GoalSheet("text", "text", "Write.")


def example(number: int, answer: str = "a", uri: str = "rows.csv", tags: tuple[str, ...] = ()) -> Example:
    messages = [Message.of("user", f"question {number}"), Message.of("assistant", answer)]
    return make_example(messages, Source(uri, number), tags=tags)


def gains(examples: list[Example], goal: GoalSheet, by: list[float] | None = None) -> list[GroupGain]:
    """Gains of rows whose loss falls from 2 by so much; before, every other row is right, and then all are."""
    by = by or [1.0] * len(examples)
    outcomes = {
        one.id: (RowOutcome(2.0, float(number % 2 == 0)), RowOutcome(2.0 - fall, 1.0))
        for number, (one, fall) in enumerate(zip(examples, by, strict=True))
    }
    return group_gains(examples, outcomes, goal, seed=0)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=60))
def test_each_row_is_in_one_group_of_a_kind(labels):
    found = gains([example(number, label) for number, label in enumerate(labels)], LABEL)
    assert {one.kind for one in found} <= {"label"}
    if found:
        assert sum(one.n for one in found) == len(labels)
        assert all(one.n >= FEWEST or one.is_rest for one in found)
        assert len({one.name for one in found}) == len(found) > 1
    else:  # one group, or all too small to be told apart
        counts = [labels.count(label) for label in set(labels)]
        assert len(counts) == 1 or max(counts) < FEWEST


def test_the_figures_of_a_group_are_the_means_of_its_rows():
    labels = ["a"] * 4 + ["b"] * 4
    falls = [0.5, 0.5, 0.7, 0.7, 1.5, 1.0, 1.0, 1.5]
    least, most = gains([example(number, label) for number, label in enumerate(labels)], LABEL, falls)
    assert (least.name, most.name) == ("a", "b")
    assert (least.n, least.loss_before, least.accuracy_before, least.accuracy) == (4, 2.0, 0.5, 1.0)
    assert least.loss == pytest.approx(1.4)
    assert least.gain == pytest.approx(0.6)
    assert 0.4 < least.gain_low < 0.6 < least.gain_high < 0.8
    assert most.gain == pytest.approx(1.25)


def test_groups_are_tags_sources_and_the_listed_values_of_json_fields():
    schema = {"properties": {"urgency": {"enum": ["low", "high"]}, "reply": {"type": "string"}}}
    goal = GoalSheet("text", "json", "Answer.", schema=schema)
    rows = [
        example(
            number,
            json.dumps({"urgency": "low" if number < 6 else "high", "reply": str(number)}),
            uri="old.csv" if number < 4 else "new.csv",
            tags=("vip",) if number % 2 else (),
        )
        for number in range(12)
    ]
    sizes = {(one.kind, one.name): one.n for one in gains(rows, goal)}
    assert sizes == {
        ("urgency", "low"): 6,
        ("urgency", "high"): 6,
        ("tag", "vip"): 6,
        ("tag", "(no tag)"): 6,
        ("source", "old.csv"): 4,
        ("source", "new.csv"): 8,
    }


def test_one_group_alone_is_no_group():
    assert gains([example(number) for number in range(9)], TEXT) == []


def test_answers_that_are_no_json_are_in_no_group_of_a_field():
    goal = GoalSheet("text", "json", "Answer.", schema={"properties": {"urgency": {"enum": ["low"]}}})
    assert gains([example(number, "[1]" if number % 2 else "nonsense") for number in range(9)], goal) == []


def test_groups_beyond_the_largest_are_told_together():
    rows = [example(number, f"label {number // FEWEST}") for number in range(FEWEST * (MOST + 5))]
    found = gains(rows, LABEL)
    assert len(found) == MOST + 1
    assert [one.n for one in found if one.is_rest] == [5 * FEWEST]
    assert found[-1].is_rest


def test_rows_that_gained_alike_have_an_interval_without_width():
    found = gains([example(number, "ab"[number % 2]) for number in range(8)], LABEL, [0.0] * 8)
    assert [(one.gain, one.gain_low, one.gain_high) for one in found] == [(0.0, 0.0, 0.0)] * 2
