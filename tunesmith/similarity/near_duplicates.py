"""Groups of equal and nearly equal texts.

Candidates come from MinHash signatures cut into bands (Leskovec, Rajaraman, Ullman: Mining of
Massive Datasets, 3.4); every candidate pair is then compared exactly. Time grows about linearly
with the number of texts: memory is some 250 bytes a text, the rest lies in a temporary file.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
import numpy.typing as npt
import rensa

from tunesmith.similarity.normal_form import bare, fingerprint
from tunesmith.similarity.shingles import ShingleFile, scramble, shingles

BATCH = 4096
PERMUTATIONS = 160
#: At most this share of the pairs right at the threshold have no band in common.
MISSED = 0.003
#: Each text is compared with at most this many others of one bucket, so that a data set filled
#: from one template takes linear time too. Texts like each other stand side by side in a bucket.
REACH = 512
_SEED = 42
#: rensa gives slots as lists of Python's numbers; of so many texts they stay in the processor's cache: half the time.
_SKETCHED_AT_ONCE = 256

Ints = npt.NDArray[np.int64]
Signatures = npt.NDArray[np.uint8]


def groups(texts: Iterable[str], threshold: float) -> Ints:
    """Give each text a group number ``[texts]``, ascending by the group's first text.

    Two texts share a group when the Jaccard similarity of their sets of 5-character pieces
    (compared without case, punctuation and extra spaces) is at least ``threshold`` (0 to 1), or
    when a chain of such pairs joins them. Verified pairs are exact; a pair at the threshold is
    missed with a chance of 0.3%, a closer one almost never (thresholds below 0.05 miss more).
    """
    rows, bands = band_layout(threshold)
    with ShingleFile() as sets:
        signatures, prints = _read(texts, sets, rows * bands)
        if not len(signatures):
            return np.empty(0, np.int64)
        sets.seal()
        first, same = first_of_equal(prints)
        components = Components(len(first))
        for left, right in _candidates(signatures[first], rows, components):
            near = may_reach(signatures, first[left], first[right], threshold)
            left, right = left[near], right[near]
            if len(left):
                close = sets.jaccard(first[left], first[right]) >= threshold
                components.join(left[close], right[close])
    roots = components.roots(np.arange(len(first)))
    return np.unique(roots, return_inverse=True)[1].astype(np.int64)[same]


def band_layout(threshold: float) -> tuple[int, int]:
    """Rows in a band and number of bands: the most selective layout that misses at most `MISSED`."""
    for rows in range(8, 0, -1):
        collide = min(threshold**rows, 1 - 1e-9)
        bands = math.ceil(math.log(MISSED) / math.log1p(-collide))
        if rows * bands <= PERMUTATIONS:
            return rows, bands
    return 1, PERMUTATIONS


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


def _read(texts: Iterable[str], sets: ShingleFile, permutations: int) -> tuple[Signatures, npt.NDArray[np.uint64]]:
    """Keep each text's pieces on disk, its signature ``[texts, permutations]`` and its fingerprint ``[texts, 2]``."""
    signatures, prints = bytearray(), bytearray()
    stream = iter(texts)
    while batch := [bare(text) for text in islice(stream, BATCH)]:
        values, counts = shingles(batch)
        sets.append(values, counts)
        signatures += sketch(values, counts, permutations).tobytes()
        prints += b"".join(fingerprint(text) for text in batch)
    return (
        np.frombuffer(signatures, np.uint8).reshape(-1, permutations),
        np.frombuffer(prints, np.uint64).reshape(-1, 2),
    )


def sketch(values: npt.NDArray[np.int32], counts: Ints, permutations: int, seed: int = _SEED) -> Signatures:
    """MinHash signatures ``[texts, permutations]``, the lowest byte of each slot (Li and König, 2010)."""
    ends = np.cumsum(counts)
    tokens = scramble(values.astype(np.uint64))
    slots = bytearray()
    for first in range(0, len(counts), _SKETCHED_AT_ONCE):
        last = min(first + _SKETCHED_AT_ONCE, len(counts))
        start = int(ends[first] - counts[first])
        offsets = np.concatenate(([0], ends[first:last] - start)).astype(np.uint64)
        held = tokens[start : int(ends[last - 1])]
        matrix = rensa.RMinHash.digest_matrix_from_flat_token_hashes(held, offsets, permutations, seed)
        slots += b"".join([array("I", row).tobytes() for row in matrix.to_rows()])
    return np.frombuffer(slots, np.uint32).reshape(-1, permutations).astype(np.uint8)


def band_keys(signatures: Signatures, rows: int) -> Iterator[npt.NDArray[np.uint64]]:
    """Yield the key of each text in each band of ``rows`` slots, ``[texts]``."""
    for start in range(0, signatures.shape[1], rows):
        key = np.zeros(len(signatures), np.uint64)
        for column in range(start, start + rows):
            key = (key << np.uint64(8)) | signatures[:, column]
        yield key


def _candidates(signatures: Signatures, rows: int, components: Components) -> Iterator[tuple[Ints, Ints]]:
    """Yield pairs that agree in one band and do not hang together yet, as ``left [pairs], right [pairs]``."""
    order = np.arange(len(signatures))
    for key in band_keys(signatures, rows):
        # A stable sort on top of the last band's order: within a bucket, likes stand side by side.
        order = order[np.argsort(key[order], kind="stable")]
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


def may_reach(signatures: Signatures, left: Ints, right: Ints, threshold: float) -> npt.NDArray[np.bool_]:
    """Whether the signatures leave it possible that a pair reaches the threshold: within four standard errors."""
    count = signatures.shape[1]
    least = threshold - 4 * math.sqrt(threshold * (1 - threshold) / count)
    possible = np.empty(len(left), np.bool_)
    for start in range(0, len(left), 65_536):
        block = slice(start, start + 65_536)
        agree = (signatures[left[block]] == signatures[right[block]]).sum(axis=1, dtype=np.int32)
        possible[block] = agree >= least * count
    return possible
