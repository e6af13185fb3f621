"""Free text: known values, and scripts other than Latin."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.scoring.measure import measure, metrics_of
from tunesmith.scoring.prose import chrf, measure_prose, rouge_l
from tunesmith.scoring.words import words


def test_rouge_l_by_hand() -> None:
    # Longest common subsequence "police the gunman": 3 of 4 and 3 of 4 words (Lin 2004, section 3.1, S1 and S2: 3).
    assert rouge_l([("police killed the gunman", "police kill the gunman")])[0] == pytest.approx(3 / 4)
    assert rouge_l([("police killed the gunman", "the gunman kill police")])[0] == pytest.approx(2 / 4)


def test_equal_texts_score_one_and_texts_with_nothing_in_common_zero() -> None:
    pairs = [("a warm blanket", "a warm blanket"), ("a warm blanket", "xyz")]
    assert rouge_l(pairs).tolist() == [1.0, 0.0]
    assert chrf(pairs).tolist() == pytest.approx([1.0, 0.0])


@pytest.mark.parametrize("text", ["größe über alles", "これは毛布です", "теплое одеяло", "हिन्दी में", "دافئ جدا"])
def test_rouge_l_reads_every_script(text: str) -> None:
    assert rouge_l([(text, text)])[0] == 1.0


def test_words_keep_letters_with_marks_together_and_cut_scripts_without_spaces() -> None:
    assert words("Größe: 3,5 m_x!") == ["größe", "3", "5", "m", "x"]
    assert words("हिन्दी में") == ["हिन्दी", "में"]
    assert words("毛布です") == ["毛", "布", "で", "す"]


def test_length_ratio_is_the_mean_of_answer_over_reference() -> None:
    found = measure_prose(["one two", "one two three four"], ["one two three four", "one two"])
    assert found["length_ratio"].estimate() == pytest.approx((2 + 0.5) / 2)


def test_an_empty_answer_scores_zero_and_outer_spaces_do_not_matter() -> None:
    found = measure_prose(["warm wool", "warm wool"], ["", " warm wool\n"])
    assert {name: one.values.tolist() for name, one in found.items()} == {  # type: ignore[attr-defined]
        "rouge_l": [0, 1],
        "chrf": [0, pytest.approx(1)],
        "exact_match": [0, 1],
        "length_ratio": [0, 1],
    }


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_two_texts_score_between_zero_and_one(reference: str, answer: str) -> None:
    found = measure_prose([reference], [answer])
    assert all(0 <= found[name].estimate() <= 1 + 1e-9 for name in ("rouge_l", "chrf", "exact_match"))


def test_the_metrics_that_are_promised_are_the_metrics_that_come() -> None:
    for output, reference in (("label", "a"), ("text", "a b"), ("json", '{"a": 1, "b": "x"}')):
        for schema in (None, {"properties": {"b": {}}}):
            promised = metrics_of(output, [reference], schema)  # type: ignore[arg-type]
            assert promised == list(measure(output, [reference], ["?"], schema=schema))  # type: ignore[arg-type]


def test_references_and_answers_of_different_number_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be paired"):
        measure("text", ["a"], [])
