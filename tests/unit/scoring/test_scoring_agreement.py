"""Agreement: the worked examples of the literature, scikit-learn's kappa, and the definition written out in loops."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from tunesmith.scoring.agreement import MISSING, cohens_kappa, krippendorffs_alpha

NOT = MISSING

#: Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability": A (two observers, binary), B (two observers,
#: nominal: a to e are 0 to 4) and C (four observers, nominal, with missing data), each with the alpha printed there.
BINARY = ([0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0])
NOMINAL = ([0, 0, 1, 1, 3, 2, 2, 2, 4, 3, 3, 0], [1, 0, 1, 1, 1, 2, 2, 2, 4, 3, 3, 3])
FOUR = (
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NOT, NOT, NOT],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NOT, 3],
    [NOT, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NOT],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NOT],
)


@pytest.mark.parametrize(("ratings", "alpha", "rows"), [(BINARY, 0.095, 10), (NOMINAL, 0.692, 12), (FOUR, 0.743, 11)])
def test_krippendorffs_own_examples_give_his_own_figures(ratings, alpha, rows):
    found = krippendorffs_alpha(ratings, resamples=1000)
    assert found is not None
    assert (round(found.value, 3), found.n) == (alpha, rows)
    assert found.low <= found.value <= found.high


def test_cohens_kappa_of_a_textbook_table():
    """Fleiss, Levin and Paik, Statistical Methods for Rates and Proportions, table 18.1: kappa is 0.68."""
    table = {(0, 0): 75, (0, 1): 1, (0, 2): 4, (1, 0): 5, (1, 1): 4, (1, 2): 1, (2, 2): 10}
    first = [one for (one, _), times in table.items() for _ in range(times)]
    second = [other for (_, other), times in table.items() for _ in range(times)]
    found = cohens_kappa(first, second, resamples=1000)
    assert found is not None
    assert (round(found.value, 2), found.n) == (0.68, 100)
    assert 0.45 < found.low < 0.6 < 0.75 < found.high < 0.9  # the book's: 0.68 ± 1.96 · 0.087


codes = st.integers(NOT, 3)


@given(st.lists(st.tuples(codes, codes), min_size=2, max_size=30))
def test_kappa_is_scikit_learns_on_the_rows_that_both_rated(pairs):
    found = cohens_kappa([one for one, _ in pairs], [other for _, other in pairs], resamples=50)
    both = [(one, other) for one, other in pairs if NOT not in (one, other)]
    if len(both) < 2 or len({code for pair in both for code in pair}) < 2:
        assert found is None
        return
    assert found is not None
    assert found.value == pytest.approx(cohen_kappa_score(*zip(*both, strict=True)))
    assert found.n == len(both)


@given(st.lists(st.tuples(codes, codes, codes), min_size=2, max_size=15))
def test_alpha_is_what_its_definition_gives_pair_by_pair(rows):
    found = krippendorffs_alpha(list(zip(*rows, strict=True)), resamples=50)
    units = [[code for code in row if code != NOT] for row in rows]
    units = [unit for unit in units if len(unit) >= 2]
    every = [code for unit in units for code in unit]
    if len(units) < 2 or len(set(every)) < 2:
        assert found is None
        return
    observed = sum(sum(one != other for one, other in permutations(unit, 2)) / (len(unit) - 1) for unit in units) / len(
        every
    )
    expected = sum(one != other for one, other in permutations(every, 2)) / (len(every) * (len(every) - 1))
    assert found is not None
    assert found.value == pytest.approx(max(-1.0, 1 - observed / expected))


def test_what_cannot_be_said_is_not_said():
    assert cohens_kappa([1, 1, 1], [1, 1, 1]) is None
    assert cohens_kappa([1, NOT], [NOT, 0]) is None
    assert krippendorffs_alpha([[0, 1, NOT]]) is None
    assert krippendorffs_alpha([]) is None
    with pytest.raises(ValueError, match="paired"):
        cohens_kappa([1], [1, 0])
