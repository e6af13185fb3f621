"""Choose the rows that are most worth labelling: those that the model is unsure of, and unlike each other.

Weighted k-means++ seeding: a row is drawn with a probability that grows with its squared distance from the nearest row
that has a label or is chosen already (D. Arthur and S. Vassilvitskii, "k-means++: The Advantages of Careful Seeding",
SODA 2007), times the square of the model's uncertainty. It is BADGE (J. Ash et al., "Deep Batch Active Learning by
Diverse, Uncertain Gradient Lower Bounds", ICLR 2020) for models that tell the confidence of their answer alone: there
the rows are gradients of the last layer, whose size is about 1 - confidence times the size of the row's vector.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tunesmith.similarity.embeddings import Vectors

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Known rows that are compared with all others at a time.
BLOCK = 512
_TINY = 1e-6


def choose_rows(
    vectors: Vectors, confidence: Floats, count: int, *, known: Vectors | None = None, seed: int = 0
) -> Ints:
    """The numbers of the chosen rows, in the order in which they were drawn; all where there are no more.

    ``vectors [rows, dimensions]`` are unit vectors, ``confidence [rows]`` that of the model's answers, 0 to 1;
    ``known [labelled, dimensions]`` are the rows that have a label. The same seed gives the same rows. Time is
    that of ``count`` products with all rows, and of one with the known rows. Raises ValueError when the
    two do not have the same length.
    """
    if len(vectors) != len(confidence):
        raise ValueError(f"{len(vectors)} vectors cannot be paired with {len(confidence)} confidences")
    rows = vectors.astype(np.float32)
    random = np.random.default_rng(seed)
    doubt = (1 - np.clip(confidence, 0.0, 1.0)).astype(np.float64) ** 2
    away = np.ones(len(rows))
    if known is not None and len(known):
        away = distances(rows, known)
    left = np.ones(len(rows), np.bool_)
    chosen: list[int] = []
    for _ in range(min(count, len(rows))):
        weight = np.where(left, doubt * away, 0.0)
        if weight.sum() <= _TINY**2:  # nothing is in doubt, or all is known: any of what is left
            weight = left.astype(np.float64)
        row = int(random.choice(len(rows), p=weight / weight.sum()))
        chosen.append(row)
        left[row] = False
        away = np.minimum(away, _squared(rows @ rows[row]))
    return np.array(chosen, np.int64)


def distances(rows: npt.NDArray[np.float32], known: Vectors) -> Floats:
    """The squared distance of each unit vector from the nearest known one ``[rows]``."""
    nearest = np.full(len(rows), -1.0, np.float32)
    for start in range(0, len(known), BLOCK):
        block = known[start : start + BLOCK].astype(np.float32)
        nearest = np.maximum(nearest, (rows @ block.T).max(axis=1))
    return _squared(nearest)


def _squared(cosine: npt.NDArray[np.float32]) -> Floats:
    """Squared distances of unit vectors from their cosines; equal ones are not quite at nothing for rounding."""
    found: Floats = np.maximum(0.0, 2.0 - 2.0 * cosine.astype(np.float64))
    return np.where(found < _TINY, 0.0, found)
