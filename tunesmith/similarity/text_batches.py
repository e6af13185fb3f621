"""What comparing needs of each text, worked out a batch at a time: its pieces, its fingerprint and its signatures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tunesmith.similarity.min_hash import Signatures, sketch
from tunesmith.similarity.normal_form import fingerprint
from tunesmith.similarity.shingles import Ints, shingles

BATCH = 4096
#: A batch ends before its texts have more characters than this together: some 100 MB while it is worked on.
CHARACTERS = 2_000_000


class Sketching(NamedTuple):
    """Which signatures are made: by how many hash functions, and the seed that they are drawn by."""

    seed: int
    permutations: int


@dataclass(frozen=True)
class Batch:
    """Some texts: ``values [pieces]`` and how many of these each has, ``counts [texts]``; ``prints [texts, 2]``.

    ``signatures`` has one array ``[texts, permutations]`` for each sketching that was asked for.
    """

    values: npt.NDArray[np.int32]
    counts: Ints
    prints: npt.NDArray[np.uint64]
    signatures: tuple[Signatures, ...]


def batch_of(texts: Sequence[str], sketchings: Sequence[Sketching] = ()) -> Batch:
    """The batch of some texts in their bare form."""
    values, counts = shingles(texts)
    prints = np.frombuffer(b"".join(fingerprint(text) for text in texts), np.uint64).reshape(-1, 2)
    made = tuple(sketch(values, counts, one.permutations, one.seed) for one in sketchings)
    return Batch(values, counts, prints, made)


def in_batches(texts: Iterable[str]) -> Iterator[list[str]]:
    """The texts, so many at a time that working on them takes little memory."""
    batch: list[str] = []
    characters = 0
    for text in texts:
        if batch and (len(batch) >= BATCH or characters + len(text) > CHARACTERS):
            yield batch
            batch, characters = [], 0
        batch.append(text)
        characters += len(text)
    if batch:
        yield batch
