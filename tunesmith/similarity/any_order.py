"""Likeness of texts as they stand or with their words sorted, whichever is higher.

In a short text two words that change places break a third of its pieces; sorted, the texts are equal. A typo in the
first letter of a word moves it when sorted, and breaks few pieces of the text as it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from tunesmith.similarity.across import MOST_WORK, Across, Floats, Ints, Pair, TextSets
from tunesmith.similarity.normal_form import in_any_order

#: Gives the texts anew each time it is called: they are read more than once.
Texts = Callable[[], Iterable[str]]


def sorted_words(texts: Texts) -> Texts:
    """The same texts with their words sorted."""
    return lambda: (in_any_order(text) for text in texts())


class AnyOrderSets:
    """As `TextSets`, for both forms of each text. A context manager."""

    def __init__(self, texts: Texts) -> None:
        self._plain = TextSets(texts())
        try:
            self._sorted = TextSets(sorted_words(texts)())
        except BaseException:
            self._plain.__exit__(None, None, None)
            raise

    def __enter__(self) -> AnyOrderSets:
        return self

    def __exit__(self, *error: object) -> None:
        self._plain.__exit__(*error)
        self._sorted.__exit__(*error)

    def jaccard(self, left: Ints, right: Ints) -> Floats:
        """The higher of the two Jaccard similarities ``[pairs]``."""
        return np.maximum(self._plain.jaccard(left, right), self._sorted.jaccard(left, right))

    def across(self, left: Ints, right: Ints, limit: float, count: int, *, most_work: int = MOST_WORK) -> Across:
        """Find the ``count`` most similar pairs across two sides, and all from ``limit`` on."""
        found = [form.across(left, right, limit, count, most_work=most_work) for form in (self._plain, self._sorted)]
        above = self._merged([pair for across in found for pair in across.above])
        highest = self._merged([pair for across in found for pair in across.highest])
        return Across(above, highest[:count], all(across.exact for across in found))

    def _merged(self, pairs: list[Pair]) -> list[Pair]:
        """Each pair once, by the higher of its similarities, the most similar first."""
        places = sorted({(pair.left, pair.right) for pair in pairs})
        left, right = (np.array([place[side] for place in places], np.int64) for side in (0, 1))
        best = zip(places, self.jaccard(left, right).tolist(), strict=True)
        merged = [Pair(one, other, similarity) for (one, other), similarity in best]
        return sorted(merged, key=lambda pair: (-pair.similarity, pair.left, pair.right))
