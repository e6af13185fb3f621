"""Near-duplicates: what shares a group, what does not, and that no pair is missed."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunesmith.similarity.near_duplicates import band_layout, groups
from tunesmith.similarity.normal_form import bare, fingerprint, normalise
from tunesmith.similarity.shingles import shingles

VOCABULARY = """the a my card payment was has been not arrived yet why how do I can please help refund lost stolen
charged twice transfer account top up pin blocked new phone order late delivery parcel missing wrong size exchange
cancel subscription invoice address change password reset email app crashes login failed statement fee currency rate
cash machine abroad limit increase verify identity document photo"""
WORDS = VOCABULARY.split()


def pieces(text: str) -> frozenset[str]:
    return frozenset(text[i : i + 5] for i in range(max(1, len(text) - 4)))


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other)


def brute_force(texts: list[str], threshold: float) -> tuple[list[tuple[int, int]], list[int]]:
    """All pairs at or above the threshold, and the connected components they make."""
    sets = [pieces(bare(text)) for text in texts]
    numbers = {piece: number for number, piece in enumerate(sorted(frozenset().union(*sets)))}
    matrix = np.zeros((len(texts), len(numbers)), np.float32)
    for place, pieces_of_text in enumerate(sets):
        matrix[place, [numbers[piece] for piece in pieces_of_text]] = 1
    sizes = matrix.sum(axis=1)
    shared = matrix @ matrix.T
    similar = shared.astype(np.float64) / (sizes[:, None] + sizes - shared) >= threshold
    pairs = [(int(i), int(j)) for i, j in np.argwhere(np.triu(similar, 1))]
    parent = list(range(len(texts)))

    def root(i: int) -> int:
        while parent[i] != i:
            i = parent[i]
        return i

    for i, j in pairs:
        parent[max(root(i), root(j))] = min(root(i), root(j))
    return pairs, [root(i) for i in range(len(texts))]


def varied_texts(number: int, seed: int) -> list[str]:
    """Sentences and edited copies of earlier ones, so that pairs of every similarity turn up."""
    rng = random.Random(seed)
    texts: list[str] = []
    for _ in range(number):
        if texts and rng.random() < 0.6:
            words = rng.choice(texts).split()
            for _ in range(rng.randint(0, 3)):
                words[rng.randrange(len(words))] = rng.choice(WORDS)
        else:
            words = rng.choices(WORDS, k=rng.randint(3, 25))
        texts.append(" ".join(words))
    return texts


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.9])
def test_at_least_99_of_100_near_pairs_share_a_group_and_no_others_do(threshold: float) -> None:
    texts = varied_texts(2000, seed=int(threshold * 10))
    pairs, roots = brute_force(texts, threshold)
    found = groups(texts, threshold)
    assert len(pairs) > 200
    together = sum(found[i] == found[j] for i, j in pairs)
    assert together / len(pairs) >= 0.99
    for first in range(len(texts)):  # each group lies within one true component
        assert roots[first] == roots[int(np.flatnonzero(found == found[first])[0])]


def test_pairs_right_above_the_threshold_are_found_one_by_one() -> None:
    """Not through chains: each pair stands alone, with a similarity of 0.70 to 0.75."""
    rng = random.Random(5)
    texts, pairs = [], 0
    while pairs < 400:
        one = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=70))
        place = rng.randrange(20, 50)
        other = one[:place] + "".join(rng.choices("0123456789", k=rng.randint(5, 8))) + one[place + 6 :]
        if 0.70 <= jaccard(pieces(one), pieces(other)) < 0.75:
            texts += [one, other]
            pairs += 1
    found = groups(texts, 0.7)
    assert sum(found[i] == found[i + 1] for i in range(0, len(texts), 2)) / pairs >= 0.99


@given(st.lists(st.text(max_size=30), max_size=30))
@settings(max_examples=60, deadline=None)
def test_equal_texts_share_a_group_whatever_they_are_made_of(texts: list[str]) -> None:
    found = groups(texts * 2, 0.7)
    assert found.dtype == np.int64
    assert found.shape == (2 * len(texts),)
    assert (found[: len(texts)] == found[len(texts) :]).all()


@given(st.lists(st.text(alphabet="abc ", max_size=12), min_size=1, max_size=25), st.sampled_from([0.4, 0.7, 1.0]))
@settings(max_examples=60, deadline=None)
def test_no_group_holds_more_than_a_true_component(texts: list[str], threshold: float) -> None:
    _, roots = brute_force(texts, threshold)
    found = groups(texts, threshold)
    for i, number in enumerate(found):
        for j in range(i):
            if found[j] == number:
                assert roots[i] == roots[j]


def test_numbers_count_up_by_the_first_text_of_each_group() -> None:
    found = groups(["first thing here", "second thing there", "First thing, here!", "third and last"], 0.7)
    assert found.tolist() == [0, 1, 0, 2]


def test_the_same_texts_get_the_same_numbers_again() -> None:
    texts = varied_texts(500, seed=1)
    assert (groups(texts, 0.7) == groups(iter(texts), 0.7)).all()


def test_a_chain_of_near_texts_is_one_group() -> None:
    words = [letter * 7 for letter in "abcdefghijklmnopqrst"]
    chain = [" ".join(words[i : i + 12]) for i in range(8)]
    assert jaccard(pieces(chain[0]), pieces(chain[1])) >= 0.7
    assert jaccard(pieces(chain[0]), pieces(chain[4])) < 0.7
    assert groups(chain, 0.7).tolist() == [0] * 8


def test_texts_below_five_characters_compare_whole() -> None:
    assert groups(["yes", "no", "Yes!", "yes sir", "ye", "", "", "?"], 0.7).tolist() == [0, 1, 0, 2, 3, 4, 4, 5]


def test_texts_that_differ_in_their_symbols_alone_are_near() -> None:
    assert groups(["Where is my card?!", "where is my - card"], 1.0).tolist() == [0, 0]


def test_no_text_gives_no_group() -> None:
    assert groups([], 0.7).tolist() == []


def test_lone_surrogates_are_compared_like_any_character() -> None:
    assert groups(["\ud800", "\ud800", "\udfff broken here", "\udfff broken here"], 0.7).tolist() == [0, 0, 1, 1]


def test_ten_thousand_rows_from_one_template_take_no_quadratic_time() -> None:
    rng = random.Random(0)
    texts = [f"hello, my order number {rng.randint(10**6, 10**7)} is late, what now" for _ in range(10_000)]
    found = groups(texts, 0.95)  # all alike, few near enough: 50 million pairs if all were compared
    assert found.max() > 5_000


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.99, 1.0])
def test_the_layout_of_the_bands_misses_at_most_three_in_a_thousand(threshold: float) -> None:
    size, bands = band_layout(threshold)
    assert (1 - threshold**size) ** bands <= 0.003
    assert size * bands <= 160


def test_shingles_are_the_distinct_five_character_pieces_of_each_text() -> None:
    texts = ["abcdefg", "aaaaaaaa", "abc", "cdefg"]
    values, counts = shingles(texts)
    assert counts.tolist() == [3, 1, 1, 1]
    assert values[-1] in values[:3]  # cdefg


@given(st.text())
@settings(max_examples=300)
def test_the_normal_form_of_a_normal_form_is_itself(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Ｆｕｌｌ　ｗｉｄｔｈ", "full width"), ("STRASSE", "straße"), (" a\t b\n", "a b"), ("ﬁne", "Fine")],
)
def test_the_normal_form_is_blind_to_case_width_and_spaces(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)


def test_the_normal_form_tells_symbols_apart_and_the_bare_form_does_not() -> None:
    assert normalise("C++ help") != normalise("C# help")
    assert bare("C++ help") == bare("C# help")
    assert bare("+") != bare("-")


def test_fingerprints_keep_the_border_between_texts() -> None:
    assert fingerprint("ab", "c") != fingerprint("a", "bc")
    assert len(fingerprint("\ud800")) == 16
