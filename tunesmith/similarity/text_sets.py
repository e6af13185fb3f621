"""Texts as sets of pieces, on disk, to be grouped and compared with each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from tunesmith.similarity.min_hash import Signatures, sketch
from tunesmith.similarity.normal_form import bare
from tunesmith.similarity.shingles import Ints, ShingleFile
from tunesmith.similarity.signature_files import SignatureFiles
from tunesmith.similarity.text_batches import BATCH, Batch, Sketching, batch_of, in_batches


class TextSets:
    """Texts as sets of pieces, on disk, to be compared with each other. A context manager.

    ``sketchings`` are the signatures that the batches come with; others are made when they are needed.
    """

    def __init__(self, sketchings: Sequence[Sketching] = ()) -> None:
        self.file = ShingleFile()
        self._prints: list[npt.NDArray[np.uint64]] = []
        self.prints: npt.NDArray[np.uint64] = np.empty((0, 2), np.uint64)
        self._sketchings = tuple(sketchings)
        self._files = SignatureFiles(self._sketchings)

    @classmethod
    def of(cls, texts: Iterable[str], sketchings: Sequence[Sketching] = ()) -> TextSets:
        """The sets of these texts, ready to be compared."""
        sets = cls(sketchings)
        with sets.closed_on_error():
            for batch in in_batches(bare(text) for text in texts):
                sets.append(batch_of(batch, sets._sketchings))
            sets.seal()
        return sets

    @contextmanager
    def closed_on_error(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def append(self, batch: Batch) -> None:
        self.file.append(batch.values, batch.counts)
        self._prints.append(batch.prints)
        self._files.append(batch.signatures)

    def seal(self) -> None:
        """Make what was appended ready to be compared."""
        self.file.seal()
        self.prints = np.concatenate([self.prints, *self._prints])
        self._prints = []

    def __enter__(self) -> TextSets:
        return self

    def __exit__(self, *error: object) -> None:
        self.file.__exit__(None, None, None)
        self._files.close()

    def jaccard(self, left: Ints, right: Ints) -> npt.NDArray[np.float64]:
        """Jaccard similarity ``[pairs]`` of the texts numbered ``left [pairs]`` and ``right [pairs]``."""
        return self.file.jaccard(left, right) if len(left) else np.empty(0)

    def signatures(self, sketching: Sketching) -> Signatures:
        """The signatures ``[texts, permutations]``, as they came with the batches or worked out now."""
        if sketching in self._sketchings:
            return self._files.read(sketching)
        parts = [sketch(*batch, sketching.permutations, sketching.seed) for batch in self.file.batches(BATCH)]
        return np.concatenate(parts) if parts else np.empty((0, sketching.permutations), np.uint8)
