"""MinHash: signatures whose slots agree as often as the texts' pieces do, and bands of them that bring likes together.

Leskovec, Rajaraman, Ullman: Mining of Massive Datasets, 3.3 and 3.4.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import rensa

from tunesmith.similarity.shingles import Ints, scramble

PERMUTATIONS = 160
#: At most this share of the pairs right at the threshold have no band in common.
MISSED = 0.003
#: rensa gives slots as lists of Python's numbers; of so many texts they stay in the processor's cache: half the time.
_SKETCHED_AT_ONCE = 256

Signatures = npt.NDArray[np.uint8]


def band_layout(threshold: float, most: int = PERMUTATIONS) -> tuple[int, int]:
    """Rows in a band and number of bands: the most selective layout that misses at most `MISSED`.

    Together they need no more than ``most`` hash functions.
    """
    for rows in range(8, 0, -1):
        collide = min(threshold**rows, 1 - 1e-9)
        bands = math.ceil(math.log(MISSED) / math.log1p(-collide))
        if rows * bands <= most:
            return rows, bands
    return 1, most


def sketch(values: npt.NDArray[np.int32], counts: Ints, permutations: int, seed: int) -> Signatures:
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


def stable_order(keys: npt.NDArray[np.uint64], bits: int) -> Ints:
    """What ``np.argsort(keys, kind="stable")`` gives, several times as fast, for keys of no more than ``bits`` bits."""
    places = max(1, len(keys) - 1).bit_length()
    if bits + places > 64:
        return np.argsort(keys, kind="stable")
    packed = np.sort((keys << np.uint64(places)) | np.arange(len(keys), dtype=np.uint64))
    return (packed & np.uint64((1 << places) - 1)).astype(np.int64)


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
