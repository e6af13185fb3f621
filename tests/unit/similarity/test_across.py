"""The most similar pairs across two sides: held to a comparison of every pair."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunesmith.similarity import across as across_sides
from tunesmith.similarity.across import Across
from tunesmith.similarity.normal_form import bare
from tunesmith.similarity.text_sets import TextSets

VOCABULARY = "card payment refund lost late parcel size invoice reset email login fee cash limit photo cancel"
WORDS = VOCABULARY.split()


def similarity(one: str, other: str) -> float:
    left, right = ({text[i : i + 5] for i in range(max(1, len(text) - 4))} for text in (bare(one), bare(other)))
    return len(left & right) / len(left | right)


def across(texts: list[str], left: list[int], right: list[int], limit: float, **more: int) -> Across:
    with TextSets.of(texts) as sets:
        return across_sides.across(sets, np.array(left, np.int64), np.array(right, np.int64), limit, 10, **more)


def edited(number: int, seed: int) -> list[str]:
    """Sentences and edited copies of earlier ones."""
    rng = random.Random(seed)
    texts: list[str] = []
    for _ in range(number):
        words = rng.choice(texts).split() if texts and rng.random() < 0.5 else rng.choices(WORDS, k=12)
        words[rng.randrange(len(words))] = rng.choice(WORDS)
        texts.append(" ".join(words))
    return texts


@given(
    st.lists(st.text(alphabet="ab c", max_size=14), min_size=2, max_size=20),
    st.integers(0, 2**20 - 1),
    st.sampled_from([0.3, 0.7, 1.0]),
)
@settings(max_examples=80, deadline=None)
def test_every_pair_at_the_limit_and_the_highest_are_found(texts: list[str], sides: int, limit: float) -> None:
    left = [i for i in range(len(texts)) if sides >> i & 1]
    right = [i for i in range(len(texts)) if not sides >> i & 1]
    found = across(texts, left, right, limit)
    every = {(i, j): similarity(texts[i], texts[j]) for i in left for j in right}
    assert found.exact
    assert {(pair.left, pair.right) for pair in found.above} == {
        pair for pair, value in every.items() if value >= limit
    }
    shared = sorted((value for value in every.values() if value > 0), reverse=True)
    assert [pair.similarity for pair in found.highest] == pytest.approx(shared[:10])
    assert all(pair.similarity == pytest.approx(every[pair.left, pair.right]) for pair in found.highest)


def test_beyond_the_work_that_is_allowed_hardly_a_pair_is_missed() -> None:
    texts = edited(3000, seed=1)
    left, right = list(range(0, 3000, 5)), [i for i in range(3000) if i % 5]
    exact, hashed = across(texts, left, right, 0.7), across(texts, left, right, 0.7, most_work=0)
    assert exact.exact
    assert not hashed.exact
    assert len(exact.above) > 100
    assert set(hashed.above) <= set(exact.above)
    assert len(hashed.above) / len(exact.above) >= 0.99
    assert hashed.highest == exact.highest


def test_a_bucket_of_two_thousand_alike_takes_no_quadratic_time() -> None:
    texts = [f"please send me the invoice of order number {i:05d}, thank you very much" for i in range(2000)]
    found = across(texts, list(range(1800)), list(range(1800, 2000)), 0.95, most_work=0)
    assert not found.exact
    assert found.highest[0].similarity > 0.8


def test_without_a_side_there_is_no_pair() -> None:
    assert across(["one text"], [0], [], 0.7) == Across([], [], exact=True)
