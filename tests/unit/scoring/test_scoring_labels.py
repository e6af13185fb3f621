"""Labels: accuracy and macro-F1 against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from tunesmith.scoring.labels import measure_labels

LABELS = ["billing", "delivery", "returns", "other"]
pairs = st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)), min_size=1, max_size=50)


@given(pairs)
def test_accuracy_and_macro_f1_equal_scikit_learn(rows: list[tuple[str, str]]) -> None:
    references, answers = (list(side) for side in zip(*rows, strict=True))
    found = measure_labels(references, answers, LABELS)
    assert found["accuracy"].estimate() == pytest.approx(accuracy_score(references, answers))
    expected = f1_score(references, answers, average="macro", zero_division=0)
    assert found["macro_f1"].estimate() == pytest.approx(expected)


def test_macro_f1_by_hand() -> None:
    found = measure_labels(["a", "a", "b", "b"], ["a", "b", "b", "b"], ["a", "b"])
    assert found["macro_f1"].estimate() == pytest.approx((2 * 1 / (1 + 2) + 2 * 2 / (3 + 2)) / 2)


def test_an_answer_that_is_no_label_is_wrong_and_no_label_of_its_own() -> None:
    found = measure_labels(["a", "b"], ["a", "I think it is b"], ["a", "b"])
    assert found["accuracy"].estimate() == 0.5
    assert found["macro_f1"].estimate() == pytest.approx((1 + 0) / 2)


def test_case_spaces_and_a_full_stop_are_overlooked() -> None:
    found = measure_labels(["Damaged goods"] * 4, ["damaged  goods", " Damaged goods.", "Damaged goods\n", "goods"])
    assert found["accuracy"].values.tolist() == [1, 1, 1, 0]  # type: ignore[attr-defined]


def test_rows_of_accuracy_are_zero_or_one() -> None:
    found = measure_labels(["a", "b", "a"], ["a", "a", ""], ["a", "b"])
    np.testing.assert_array_equal(found["accuracy"].values, [1, 0, 0])  # type: ignore[attr-defined]
