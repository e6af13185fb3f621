"""The nearest neighbours of vectors by cosine: exact, by products of blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tunesmith.similarity.embeddings import Vectors

#: Rows that are compared with all others at a time: at 20,000 rows a product of 40 MB.
BLOCK = 512

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Neighbours:
    """The nearest other rows of each row, nearest first: their numbers and cosines, both ``[rows, k]``."""

    index: Ints
    cosine: Floats


def nearest(vectors: Vectors, count: int, step: Callable[[int], None] = lambda done: None) -> Neighbours:
    """The ``count`` nearest other rows of each unit vector ``[rows, dimensions]`` (fewer where there are fewer).

    Every pair is compared: time grows with the square of the rows. Of equally near rows the first counts.
    ``step`` is told how many rows are done.
    """
    rows = len(vectors)
    count = max(0, min(count, rows - 1))
    index = np.zeros((rows, count), np.int64)
    cosine = np.zeros((rows, count), np.float32)
    if count == 0:
        return Neighbours(index, cosine)
    every = vectors.astype(np.float32).T
    for start in range(0, rows, BLOCK):
        block = np.arange(start, min(start + BLOCK, rows))
        product = vectors[block].astype(np.float32) @ every
        product[np.arange(len(block)), block] = -np.inf
        chosen = np.argpartition(-product, count - 1, axis=1)[:, :count]
        chosen.sort(axis=1)
        found = np.take_along_axis(product, chosen, axis=1)
        order = np.argsort(-found, axis=1, kind="stable")
        index[block] = np.take_along_axis(chosen, order, axis=1)
        cosine[block] = np.take_along_axis(found, order, axis=1)
        step(int(block[-1]) + 1)
    return Neighbours(index, cosine)
