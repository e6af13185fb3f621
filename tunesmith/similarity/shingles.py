"""Texts as sets of 5-character pieces (shingles), and the exact Jaccard similarity of these sets."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from types import TracebackType

import numpy as np
import numpy.typing as npt
from scipy import sparse

WIDTH = 5
#: Pieces are told apart by hashes below this. Two different ones share a hash once in 2 billion.
HASHES = 2**31 - 1
_PAIR_BLOCK = 4_000_000  # pieces held at once while comparing: some 100 MB

Ints = npt.NDArray[np.int64]


def shingles(texts: Sequence[str]) -> tuple[npt.NDArray[np.int32], Ints]:
    """Hash the distinct 5-character pieces of each text; a shorter text is one piece.

    Returns ``values [total]``, ascending within each text, and how many each has ``[texts]``.
    """
    padded = [text if len(text) >= WIDTH else text.ljust(WIDTH, "\0") for text in texts]
    lengths = np.fromiter((len(text) for text in padded), np.int64, len(padded))
    codes = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    hashes = codes[: len(codes) - WIDTH + 1]
    for offset in range(1, WIDTH):
        hashes = scramble(hashes) ^ codes[offset : len(codes) - WIDTH + 1 + offset]
    hashes = scramble(hashes) % np.uint64(HASHES)
    ends = np.cumsum(lengths)
    inside = np.ones(len(hashes), np.bool_)
    for offset in range(1, WIDTH):  # pieces that would straddle two texts
        inside[ends[:-1] - offset] = False
    owners = np.repeat(np.arange(len(texts), dtype=np.uint64), lengths)[: len(hashes)]
    keys = np.sort((owners[inside] << np.uint64(31)) | hashes[inside])  # np.unique takes five times as long
    keys = keys[np.concatenate(([True], keys[1:] != keys[:-1]))]
    counts = np.bincount((keys >> np.uint64(31)).astype(np.int64), minlength=len(texts))
    return (keys & np.uint64(2**31 - 1)).astype(np.int32), counts


def scramble(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Spread 64-bit integers evenly (the finaliser of SplitMix64, Steele et al. 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB) + np.uint64(0x9E3779B97F4A7C15)
    return values ^ (values >> np.uint64(31))


class ShingleFile:
    """The pieces of many texts on disk (4 bytes a character), so that memory stays small. A context manager."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="tunesmith-")  # noqa: SIM115  closed by __exit__
        self._counts: list[Ints] = []
        self.counts: Ints = np.empty(0, np.int64)
        self._starts: Ints = np.empty(0, np.int64)
        self._values: npt.NDArray[np.int32] = np.empty(0, np.int32)

    def __enter__(self) -> ShingleFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        del self._values
        self._file.close()

    def append(self, values: npt.NDArray[np.int32], counts: Ints) -> None:
        self._file.write(values.tobytes())
        self._counts.append(counts)

    def seal(self) -> None:
        """Make what was appended readable."""
        self._file.flush()
        self.counts = np.concatenate(self._counts) if self._counts else self.counts
        self._starts = np.cumsum(self.counts) - self.counts
        if len(self.counts):
            self._values = np.memmap(self._file, np.int32, "r")

    def pieces(self, rows: Ints) -> npt.NDArray[np.int32]:
        """The pieces of these texts one after the other, ``counts[rows]`` of each, ascending within each."""
        counts = self.counts[rows]
        ends = np.cumsum(counts)
        places = np.arange(ends[-1] if len(ends) else 0) + np.repeat(self._starts[rows] - (ends - counts), counts)
        return np.asarray(self._values[places])

    def batches(self, texts: int) -> Iterator[tuple[npt.NDArray[np.int32], Ints]]:
        """Yield the pieces of all texts, so many at a time, and how many each text has."""
        for start in range(0, len(self.counts), texts):
            rows = np.arange(start, min(start + texts, len(self.counts)))
            yield self.pieces(rows), self.counts[rows]

    def jaccard(self, left: Ints, right: Ints) -> npt.NDArray[np.float64]:
        """Jaccard similarity ``[pairs]`` of the texts numbered ``left [pairs]`` and ``right [pairs]``."""
        result = np.empty(len(left))
        blocks = np.cumsum(self.counts[left] + self.counts[right]) // _PAIR_BLOCK
        for block in np.split(np.arange(len(left)), np.flatnonzero(np.diff(blocks)) + 1):
            shared = self._shared(left[block], right[block])
            result[block] = shared / (self.counts[left[block]] + self.counts[right[block]] - shared)
        return result

    def _shared(self, left: Ints, right: Ints) -> Ints:
        product = self._rows(left).multiply(self._rows(right)).tocsr()
        return np.asarray(np.diff(product.indptr), np.int64)

    def _rows(self, rows: Ints) -> sparse.csr_matrix:
        """The sets of these texts as the rows of a sparse matrix of ones ``[rows, HASHES]``."""
        counts = self.counts[rows]
        ends = np.cumsum(counts)
        values = self.pieces(rows)
        matrix = sparse.csr_matrix(
            (np.ones(len(values), np.int8), values, np.concatenate(([0], ends))), shape=(len(rows), HASHES)
        )
        matrix.has_canonical_format = True  # sorted and distinct by `shingles`: spares scipy the check
        return matrix
