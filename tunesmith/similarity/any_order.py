"""Likeness of texts as they stand or with their words sorted, whichever is higher.

In a short text two words that change places break a third of its pieces; sorted, the texts are equal. A typo in the
first letter of a word moves it when sorted, and breaks few pieces of the text as it stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tunesmith.similarity.across import MOST_WORK, Across, Floats, Ints, Pair, across
from tunesmith.similarity.near_duplicates import grouped
from tunesmith.similarity.normal_form import bare, words_sorted
from tunesmith.similarity.text_batches import Batch, Sketching, batch_of, in_batches
from tunesmith.similarity.text_sets import TextSets


class BothForms(NamedTuple):
    """A batch of texts as they stand, and with their words sorted."""

    plain: Batch
    in_order: Batch


def both_forms(texts: Iterable[str], sketchings: Sequence[Sketching] = ()) -> Iterable[BothForms]:
    """Yield both forms of the texts, a batch at a time."""
    for batch in in_batches(bare(text) for text in texts):
        yield BothForms(batch_of(batch, sketchings), batch_of([words_sorted(text) for text in batch], sketchings))


class AnyOrderSets:
    """As `TextSets`, for both forms of each text. A context manager."""

    def __init__(self, sketchings: Sequence[Sketching] = ()) -> None:
        self._plain, self._sorted = TextSets(sketchings), TextSets(sketchings)

    @classmethod
    def of(cls, texts: Iterable[str]) -> AnyOrderSets:
        """The sets of these texts, ready to be compared."""
        sets = cls()
        with sets._plain.closed_on_error(), sets._sorted.closed_on_error():
            for both in both_forms(texts):
                sets.append(both)
            sets.seal()
        return sets

    def append(self, batch: BothForms) -> None:
        self._plain.append(batch.plain)
        self._sorted.append(batch.in_order)

    def seal(self) -> None:
        """Make what was appended ready to be compared."""
        self._plain.seal()
        self._sorted.seal()

    def __enter__(self) -> AnyOrderSets:
        return self

    def __exit__(self, *error: object) -> None:
        self._plain.__exit__(*error)
        self._sorted.__exit__(*error)

    @property
    def prints(self) -> npt.NDArray[np.uint64]:
        """The fingerprint of each text in its bare form ``[texts, 2]``."""
        return self._plain.prints

    def groups(self, threshold: float) -> tuple[Ints, Ints]:
        """The groups of nearly equal texts, as they stand and with their words sorted; see `near_duplicates.groups`."""
        return grouped(self._plain, threshold), grouped(self._sorted, threshold)

    def jaccard(self, left: Ints, right: Ints) -> Floats:
        """The higher of the two Jaccard similarities ``[pairs]``."""
        return np.maximum(self._plain.jaccard(left, right), self._sorted.jaccard(left, right))

    def across(self, left: Ints, right: Ints, limit: float, count: int, *, most_work: int = MOST_WORK) -> Across:
        """Find the ``count`` most similar pairs across two sides, and all from ``limit`` on."""
        found = [across(form, left, right, limit, count, most_work=most_work) for form in (self._plain, self._sorted)]
        above = self._merged([pair for one in found for pair in one.above])
        highest = self._merged([pair for one in found for pair in one.highest])
        return Across(above, highest[:count], all(one.exact for one in found))

    def _merged(self, pairs: list[Pair]) -> list[Pair]:
        """Each pair once, by the higher of its similarities, the most similar first."""
        places = sorted({(pair.left, pair.right) for pair in pairs})
        left, right = (np.array([place[side] for place in places], np.int64) for side in (0, 1))
        best = zip(places, self.jaccard(left, right).tolist(), strict=True)
        merged = [Pair(one, other, similarity) for (one, other), similarity in best]
        return sorted(merged, key=lambda pair: (-pair.similarity, pair.left, pair.right))
