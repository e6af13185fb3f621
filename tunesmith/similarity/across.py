"""The most similar pairs across two sides of a data set, such as training and test.

Where the work allows it every pair is compared (a product of sparse matrices), so that nothing can be missed. Beyond
that, candidates come from MinHash bands of hash functions other than those of `near_duplicates`: a pair that one
missed by chance is hardly missed by the other too (of pairs at 0.7, two in 100,000).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from tunesmith.similarity.min_hash import band_keys, band_layout, may_reach, stable_order
from tunesmith.similarity.shingles import ShingleFile
from tunesmith.similarity.text_batches import Sketching
from tunesmith.similarity.text_sets import TextSets

#: Every pair is compared up to this many pieces in all, and this many equal pieces of two texts.
MOST_PIECES = 20_000_000
MOST_WORK = 1_000_000_000
_WORK_AT_ONCE = 5_000_000
#: In one bucket each text is compared with the next ones up to this far.
REACH = 64
#: How far below the limit pairs are looked for where not every pair is compared, but never below the least.
BELOW, LEAST = 0.1, 0.05
#: For bands of four rows at 0.6: of pairs at 0.7 two in 100,000 are missed, and few that are unlike are compared.
PERMUTATIONS = 168
_SEED = 1_000_003

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Pair:
    """Two texts by their numbers, one of each side, and their Jaccard similarity."""

    left: int
    right: int
    similarity: float


@dataclass(frozen=True)
class Across:
    """The ``highest`` pairs across two sides, the most similar first, and all that reach the limit (``above``).

    ``exact``: whether every pair was compared.
    """

    above: list[Pair]
    highest: list[Pair]
    exact: bool


def across(sets: TextSets, left: Ints, right: Ints, limit: float, count: int, *, most_work: int = MOST_WORK) -> Across:
    """Find the ``count`` most similar pairs of a text in ``left`` and one in ``right``, and all from ``limit`` on.

    ``left`` and ``right`` hold numbers of texts. Past ``most_work`` pairs are found by MinHash, and ``highest`` may
    lack such as lie more than `BELOW` under the limit.
    """
    if not len(left) or not len(right):
        return Across([], [], exact=True)
    best = _Best(limit, count)
    pieces = int(sets.file.counts[left].sum() + sets.file.counts[right].sum())
    exact = pieces <= MOST_PIECES and _work(sets.file, left, right) <= most_work
    if exact:
        for pairs in _Product(sets.file, left, right).similar():
            best.add(*pairs)
    else:
        for one, other in _candidates(sets, left, right, limit):
            best.add(one, other, sets.jaccard(one, other))
    return best.found(exact)


def for_across(limit: float) -> Sketching:
    """The signatures that pairs across two sides are found by."""
    rows, bands = _layout(limit)
    return Sketching(_SEED, rows * bands)


def _layout(limit: float) -> tuple[int, int]:
    return band_layout(max(limit - BELOW, LEAST), PERMUTATIONS)


def _candidates(sets: TextSets, left: Ints, right: Ints, limit: float) -> Iterator[tuple[Ints, Ints]]:
    """Yield pairs, one of each side, that agree in a band of their signatures."""
    rows, _ = _layout(limit)
    floor = max(limit - BELOW, LEAST)
    chosen = np.concatenate((left, right))
    signatures = sets.signatures(for_across(limit))[chosen]
    is_left = np.arange(len(chosen)) < len(left)
    for key in band_keys(signatures, rows):
        for one, other in _pairs_of_two_sides(key, 8 * rows, is_left):
            near = may_reach(signatures, one, other, floor)
            yield chosen[one[near]], chosen[other[near]]


class _Best:
    """Keeps the most similar pairs and all that reach the limit; equal pairs that come twice count once."""

    def __init__(self, limit: float, count: int) -> None:
        self._limit, self._count = limit, count
        self._above: set[tuple[int, int, float]] = set()
        self._highest: set[tuple[int, int, float]] = set()

    def add(self, left: Ints, right: Ints, similarity: Floats) -> None:
        self._above |= _triples(left, right, similarity, similarity >= self._limit)
        if len(similarity) > self._count:
            least = np.partition(similarity, -self._count)[-self._count]
            self._highest |= _triples(left, right, similarity, _first_at_least(similarity, least, self._count))
        else:
            self._highest |= _triples(left, right, similarity, np.ones(len(similarity), np.bool_))
        if len(self._highest) > 50 * self._count:
            self._highest = set(self._sorted(self._highest)[: self._count])

    def found(self, exact: bool) -> Across:
        highest = [Pair(*triple) for triple in self._sorted(self._highest)[: self._count]]
        return Across([Pair(*triple) for triple in self._sorted(self._above)], highest, exact)

    @staticmethod
    def _sorted(triples: Iterable[tuple[int, int, float]]) -> list[tuple[int, int, float]]:
        return sorted(triples, key=lambda triple: (-triple[2], triple[0], triple[1]))


def _first_at_least(similarity: Floats, least: float, count: int) -> npt.NDArray[np.bool_]:
    """The entries above ``least``, and of those equal to it the first ones, up to ``count`` in all."""
    chosen = similarity > least
    chosen[np.flatnonzero(similarity == least)[: count - int(chosen.sum())]] = True
    return chosen


def _triples(left: Ints, right: Ints, similarity: Floats, chosen: npt.NDArray[np.bool_]) -> set[tuple[int, int, float]]:
    return set(zip(left[chosen].tolist(), right[chosen].tolist(), similarity[chosen].tolist(), strict=True))


def _work(sets: ShingleFile, left: Ints, right: Ints) -> int:
    """How many equal pieces the texts of the two sides have, counted for each pair of texts."""
    (one, often), (other, as_often) = (np.unique(sets.pieces(side), return_counts=True) for side in (left, right))
    _, at_one, at_other = np.intersect1d(one, other, assume_unique=True, return_indices=True)
    return int(often[at_one] @ as_often[at_other])


class _Product:
    """How many pieces each text of one side shares with each of the other, as blocks of a sparse product."""

    def __init__(self, sets: ShingleFile, left: Ints, right: Ints) -> None:
        self._left, self._right = left, right
        self._left_counts, self._right_counts = sets.counts[left], sets.counts[right]
        left_pieces, right_pieces = sets.pieces(left), sets.pieces(right)
        known = np.unique(left_pieces)
        columns = np.searchsorted(known, left_pieces)
        there = np.searchsorted(known, right_pieces)
        there[there == len(known)] = 0
        shared = known[there] == right_pieces
        self._ones = _matrix(columns, np.repeat(np.arange(len(left)), self._left_counts), (len(left), len(known)))
        owners = np.repeat(np.arange(len(right)), self._right_counts)[shared]
        self._others = _matrix(there[shared], owners, (len(right), len(known))).T.tocsr()
        often = np.diff(self._others.indptr)
        steps = np.concatenate(([0], np.cumsum(often[columns], dtype=np.int64)))
        self._work = np.diff(steps[self._ones.indptr])

    def similar(self) -> Iterator[tuple[Ints, Ints, Floats]]:
        """Yield all pairs that share a piece as ``left, right, similarity``, block after block."""
        blocks = np.cumsum(self._work) // _WORK_AT_ONCE
        for block in np.split(np.arange(len(self._left)), np.flatnonzero(np.diff(blocks)) + 1):
            found = (self._ones[block[0] : block[-1] + 1] @ self._others).tocoo()
            rows, columns = found.row + block[0], found.col
            union = self._left_counts[rows] + self._right_counts[columns] - found.data
            yield self._left[rows], self._right[columns], found.data / union


def _matrix(columns: npt.NDArray[np.intp], rows: npt.NDArray[np.intp], shape: tuple[int, int]) -> sparse.csr_matrix:
    """Ones at ``(rows, columns)``; the rows ascend."""
    ends = np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=shape[0]))))
    return sparse.csr_matrix((np.ones(len(columns), np.int32), columns, ends), shape=shape)


def _pairs_of_two_sides(
    key: npt.NDArray[np.uint64], bits: int, is_left: npt.NDArray[np.bool_]
) -> Iterator[tuple[Ints, Ints]]:
    """Yield pairs of equal ``key [texts]`` of so many ``bits``, one of each side, as their places: left, right."""
    order = stable_order(key, bits)
    sorted_key = key[order]
    bucket = np.cumsum(np.concatenate(([True], sorted_key[1:] != sorted_key[:-1])))
    lefts = np.bincount(bucket, is_left[order])
    both = (lefts > 0) & (lefts < np.bincount(bucket))
    order, bucket = order[both[bucket]], bucket[both[bucket]]
    order, bucket = _interleaved(order, bucket, is_left)
    for distance in range(1, REACH + 1):
        near = np.flatnonzero(bucket[distance:] == bucket[:-distance])
        if not len(near):
            return
        one, other = order[near], order[near + distance]
        crossing = is_left[one] != is_left[other]
        one, other = one[crossing], other[crossing]
        swapped = ~is_left[one]
        yield np.where(swapped, other, one), np.where(swapped, one, other)


def _interleaved(order: Ints, bucket: Ints, is_left: npt.NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Mix the two sides of each bucket in turn, so that in a large one near places hold both."""
    run = 2 * bucket + is_left[order]
    sorted_by_run = np.argsort(run, kind="stable")
    runs = run[sorted_by_run]
    starts = np.flatnonzero(np.concatenate(([True], runs[1:] != runs[:-1])))[: len(runs)]
    rank = np.empty(len(order), np.int64)
    rank[sorted_by_run] = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    mixed = np.lexsort((rank, bucket))
    return order[mixed], bucket[mixed]
