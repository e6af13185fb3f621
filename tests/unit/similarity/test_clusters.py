"""Clusters of rows by meaning: whatever the vectors are, each row is in one, or there are none."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunesmith.similarity.clusters import cluster


def unit(vectors: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_groups_far_apart_are_found() -> None:
    random = np.random.default_rng(0)
    middles = np.eye(4, 16).repeat(20, axis=0)
    found = cluster(unit(middles + 0.05 * random.normal(size=middles.shape)))
    assert found is not None
    assert sorted(np.bincount(found.of)) == [20] * 4
    assert all(len(set(found.of[start : start + 20])) == 1 for start in range(0, 80, 20))


@pytest.mark.parametrize("different", [1, 2, 3, 4, 5])
def test_rows_that_are_mostly_the_same_are_no_fault(different: int) -> None:
    rows = unit(np.eye(different, 8)[np.arange(60) % different])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = cluster(rows)
    if different < 4:
        assert found is None
    else:
        assert found is not None
        assert len(found.of) == 60


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 90), st.integers(1, 30), st.integers(0, 5))
def test_each_row_is_in_one_cluster(rows: int, different: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    vectors = unit(random.normal(size=(different, 6)))[random.integers(0, different, size=rows)]
    found = cluster(vectors)
    if found is not None:
        assert found.of.shape == (rows,)
        assert len(found.central) == found.of.max() + 1
        assert [found.of[row] for row in found.central] == list(range(len(found.central)))
