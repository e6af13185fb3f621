"""Rows to label: those in doubt, unlike each other and what is known; the same seed chooses the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.similarity.choose_rows import choose_rows, distances


def units(rows: int, seed: int, dimensions: int = 8) -> np.ndarray:
    """Random unit vectors."""
    found = np.random.default_rng(seed).normal(size=(rows, dimensions))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float16)


@given(rows=st.integers(1, 60), count=st.integers(1, 80), seed=st.integers(0, 99))
def test_each_row_is_chosen_at_most_once_and_as_many_as_there_are(rows: int, count: int, seed: int) -> None:
    vectors = units(rows, seed)
    confidence = np.random.default_rng(seed).random(rows)
    chosen = choose_rows(vectors, confidence, count, known=vectors[: rows // 3], seed=seed)
    assert len(set(chosen.tolist())) == len(chosen) == min(count, rows)
    assert chosen.tolist() == choose_rows(vectors, confidence, count, known=vectors[: rows // 3], seed=seed).tolist()


@given(seed=st.integers(0, 50))
def test_rows_in_doubt_come_before_those_that_the_model_is_sure_of(seed: int) -> None:
    vectors = units(40, seed)
    confidence = np.where(np.arange(40) < 10, 0.2, 1.0)
    assert set(choose_rows(vectors, confidence, 10, seed=seed).tolist()) == set(range(10))


@given(seed=st.integers(0, 50))
def test_a_copy_of_a_known_or_chosen_row_is_not_chosen_while_others_are_there(seed: int) -> None:
    four = np.eye(4, dtype=np.float16)
    vectors = np.repeat(four, 5, axis=0)  # five copies each
    chosen = choose_rows(vectors, np.full(20, 0.3), 3, known=four[:1], seed=seed)
    assert sorted(chosen // 5) == [1, 2, 3]


def test_distances_from_many_known_rows_are_those_from_the_nearest() -> None:
    rows, known = units(30, 1), units(1100, 2)
    expected = (2 - 2 * (rows.astype(float) @ known.astype(float).T)).min(axis=1)
    assert distances(rows.astype(np.float32), known) == pytest.approx(expected, abs=1e-3)


def test_vectors_and_confidences_must_be_as_many() -> None:
    with pytest.raises(ValueError, match="3 vectors"):
        choose_rows(units(3, 0), np.zeros(2), 1)
