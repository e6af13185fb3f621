"""Slices of the test part: every row in its groups, the worst one named only where that is shown."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunesmith.example import Example, Message, Source, make_example
from tunesmith.products import GoalSheet
from tunesmith.stages.test.slices import FEWEST, in_words, losing, slices, worst

GOAL = GoalSheet("text", "label", "You sort.", labels=("a", "b"))


def row(number: int, label: str = "a", text: str | None = None, uri: str = "rows.csv", **more: object) -> Example:
    messages = [Message.of("user", text or f"ticket {number}"), Message.of("assistant", label)]
    return make_example(messages, Source(uri, number), **more)  # type: ignore[arg-type]


def cut(rows: list[Example], ours: list[float], theirs: list[float] | None = None, seen: tuple[str, ...] = ()):  # type: ignore[no-untyped-def]
    return slices(rows, np.array(ours), np.array(theirs or ours), GOAL, seen, seed=0)


def test_a_slice_that_fails_is_the_worst_and_is_told_with_its_figures() -> None:
    rows = [row(number, "ab"[number % 4 == 0]) for number in range(80)]
    ours = [0.0 if example.answer == "b" else 1.0 for example in rows]
    found = cut(rows, ours)
    low = worst(found)
    assert low is not None
    assert (low.kind, low.name, low.n, low.value) == ("label", "b", 20, 0.0)
    assert low.below < 0.001
    assert in_words(found, "accuracy", "the base").startswith(
        "Worst slice: label “b”: 0.0% (0.0% to 16.1%, n = 20), p <"
    )


def test_a_slice_that_is_low_by_chance_is_not_called_worse() -> None:
    random = np.random.default_rng(3)
    called = 0
    for _ in range(200):
        rows = [row(number, f"label {number % 10}") for number in range(100)]
        called += worst(cut(rows, (random.random(100) < 0.8).astype(float).tolist())) is not None
    assert called <= 14  # 5% of 200 and its chance (binomial, 99%)


def test_a_slice_on_which_the_rival_is_better_is_told() -> None:
    rows = [row(number, "ab"[number % 4 == 0]) for number in range(80)]
    ours = [0.0 if example.answer == "b" else 1.0 for example in rows]
    found = cut(rows, ours, [1.0] * 80)
    assert [(one.kind, one.name) for one in losing(found)] == [("label", "b")]
    assert in_words(found, "accuracy", "the base").endswith(
        "Worse than the base on: label “b” (0.0% against 100.0%, n = 20)."
    )


def test_rows_are_told_by_length_and_by_words_that_training_saw() -> None:
    texts = [f"known {'word ' * number}" for number in range(10)] + [f"novel{n} strange{n} " * 20 for n in range(10)]
    rows = [row(number, text=text) for number, text in enumerate(texts)]
    found = {(one.kind, one.name): one.n for one in cut(rows, [1.0] * 20, seen=("known word",))}
    assert found["length", "short"] == 7
    assert found["words", "all seen in training"] == found["words", "some new to it"] == 10


def test_no_slice_is_told_of_rows_that_are_all_alike() -> None:
    rows = [row(number, text="the same") for number in range(20)]
    found = cut(rows, [1.0] * 20)
    assert found == []
    assert in_words(found, "accuracy", "the base") == ""


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.text(max_size=30), st.sampled_from("xyz"), st.floats(0, 1)),
        min_size=1,
        max_size=60,
    ),
)
def test_the_slices_of_a_kind_hold_every_row_once(given_rows: list[tuple[str, str, str, float]]) -> None:
    rows = [row(number, label, text, uri) for number, (label, text, uri, _) in enumerate(given_rows)]
    values = [value for *_, value in given_rows]
    found = cut(rows, values)
    for kind in {one.kind for one in found}:
        of_kind = [one for one in found if one.kind == kind]
        assert sum(one.n for one in of_kind) == len(rows)
        assert sum(one.n * one.value for one in of_kind) == pytest.approx(sum(values))
        assert all(one.n >= FEWEST for one in of_kind if one.name)
        assert all(one.low <= one.value <= one.high for one in of_kind)
