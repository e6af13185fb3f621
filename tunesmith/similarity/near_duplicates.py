"""Groups of equal and nearly equal texts.

Candidates come from MinHash signatures cut into bands; every candidate pair is then compared exactly. Time grows about
linearly with the number of texts: memory is some 400 bytes a text, the rest lies in temporary files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from tunesmith.similarity.min_hash import Signatures, band_keys, band_layout, may_reach, stable_order
from tunesmith.similarity.shingles import Ints
from tunesmith.similarity.text_batches import Sketching
from tunesmith.similarity.text_sets import TextSets

#: Each text is compared with at most this many others of one bucket, so that a data set filled
#: from one template takes linear time too. Texts like each other stand side by side in a bucket.
REACH = 512
_SEED = 42


def groups(texts: Iterable[str], threshold: float) -> Ints:
    """Give each text a group number ``[texts]``, ascending by the group's first text.

    Two texts share a group when the Jaccard similarity of their sets of 5-character pieces
    (compared without case, punctuation and extra spaces) is at least ``threshold`` (0 to 1), or
    when a chain of such pairs joins them. Verified pairs are exact; a pair at the threshold is
    missed with a chance of 0.3%, a closer one almost never (thresholds below 0.05 miss more).
    """
    with TextSets.of(texts, (for_groups(threshold),)) as sets:
        return grouped(sets, threshold)


def for_groups(threshold: float) -> Sketching:
    """The signatures that groups are found by."""
    rows, bands = band_layout(threshold)
    return Sketching(_SEED, rows * bands)


def grouped(sets: TextSets, threshold: float) -> Ints:
    """The groups of texts that are read already; see `groups`."""
    if not len(sets.prints):
        return np.empty(0, np.int64)
    rows, _ = band_layout(threshold)
    first, same = first_of_equal(sets.prints)
    distinct = sets.signatures(for_groups(threshold))[first]
    components = Components(len(first))
    for left, right in _candidates(distinct, rows, components):
        near = may_reach(distinct, left, right, threshold)
        left, right = left[near], right[near]
        if len(left):
            close = sets.jaccard(first[left], first[right]) >= threshold
            components.join(left[close], right[close])
    roots = components.roots(np.arange(len(first)))
    return np.unique(roots, return_inverse=True)[1].astype(np.int64)[same]


def first_of_equal(prints: npt.NDArray[np.uint64]) -> tuple[Ints, Ints]:
    """For fingerprints ``[n, 2]``: the first row of each distinct one, and which of these each row equals ``[n]``."""
    order = np.lexsort((prints[:, 1], prints[:, 0]))  # stable: the first row of equals comes first
    sorted_prints = prints[order]
    starts = np.concatenate(([True], (sorted_prints[1:] != sorted_prints[:-1]).any(axis=1)))
    owner = np.empty(len(prints), np.int64)
    owner[order] = order[starts][np.cumsum(starts) - 1]
    first, same = np.unique(owner, return_inverse=True)
    return first, same.astype(np.int64)


class Components:
    """Which rows hang together (union-find). The root of a component is its smallest row."""

    def __init__(self, rows: int) -> None:
        self._parent = np.arange(rows, dtype=np.int64)

    def roots(self, rows: Ints) -> Ints:
        """The root of each row's component, ``[rows]``."""
        roots = self._parent[rows]
        while not np.array_equal(roots, above := self._parent[roots]):
            roots = above
        self._parent[rows] = roots
        return roots

    def join(self, left: Ints, right: Ints) -> None:
        """Make one component of the two that each pair ``(left[i], right[i])`` stands in."""
        for one, other in zip(left.tolist(), right.tolist(), strict=True):
            low, high = sorted((self._root(one), self._root(other)))
            self._parent[high] = low

    def _root(self, row: int) -> int:
        while (parent := int(self._parent[row])) != row:
            self._parent[row] = self._parent[parent]
            row = parent
        return row


def _candidates(signatures: Signatures, rows: int, components: Components) -> Iterator[tuple[Ints, Ints]]:
    """Yield pairs that agree in one band and do not hang together yet, as ``left [pairs], right [pairs]``."""
    order = np.arange(len(signatures))
    for key in band_keys(signatures, rows):
        # A stable sort on top of the last band's order: within a bucket, likes stand side by side.
        order = order[stable_order(key[order], 8 * rows)]
        yield from _pairs_in_buckets(order, key[order], components)


def _pairs_in_buckets(order: Ints, keys: npt.NDArray[np.uint64], components: Components) -> Iterator[tuple[Ints, Ints]]:
    """Yield the pairs of each run of equal keys, nearest neighbours first."""
    starts = np.concatenate(([True], keys[1:] != keys[:-1]))
    bucket = np.cumsum(starts)
    sizes = np.bincount(bucket)
    members = sizes[bucket] > 1
    order, bucket = order[members], bucket[members]
    for distance in range(1, REACH + 1):
        left = np.flatnonzero(bucket[distance:] == bucket[:-distance])
        if not len(left):
            return
        one, other = components.roots(order[left]), components.roots(order[left + distance])
        apart = one != other
        if apart.any():
            yield order[left[apart]], order[left[apart] + distance]
        if distance & (distance - 1) == 0:  # at powers of two: leave out buckets that have become one
            order, bucket = _unsettled(order, bucket, distance, components)


def _unsettled(order: Ints, bucket: Ints, distance: int, components: Components) -> tuple[Ints, Ints]:
    """The buckets that still have pairs farther than ``distance`` and rows in two components."""
    if not len(order):
        return order, bucket
    starts = np.flatnonzero(np.concatenate(([True], bucket[1:] != bucket[:-1])))
    sizes = np.diff(np.append(starts, len(bucket)))
    roots = components.roots(order)
    split = np.minimum.reduceat(roots, starts) != np.maximum.reduceat(roots, starts)
    stay = np.repeat(split & (sizes > distance + 1), sizes)
    return order[stay], bucket[stay]
