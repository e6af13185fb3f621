"""The texts that fit a question best: the order by words and the order by meaning, made one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from tunesmith.retrieval.keywords import Keywords

#: Of reciprocal rank fusion: G. V. Cormack, C. L. A. Clarke and S. Büttcher, "Reciprocal rank fusion outperforms
#: Condorcet and individual rank learning methods", SIGIR 2009.
DAMPING = 60
#: How many of the best of each order are looked at.
DEPTH = 100


@dataclass(frozen=True)
class Hit:
    """A text by its number, and its fused score."""

    index: int
    score: float


def fused(orders: Sequence[Sequence[int]]) -> list[Hit]:
    """One order of several, the best first: a text's score is the sum of 1 / (60 + its rank) over the orders it is in.

    Equal scores keep the order of the numbers.
    """
    scores: dict[int, float] = {}
    for order in orders:
        for rank, index in enumerate(order, 1):
            scores[index] = scores.get(index, 0.0) + 1 / (DAMPING + rank)
    return [Hit(index, score) for index, score in sorted(scores.items(), key=lambda item: (-item[1], item[0]))]


def best(
    keywords: Keywords,
    vectors: npt.NDArray[np.float32] | None,
    question: str,
    meaning: npt.NDArray[np.float32] | None,
    count: int,
    leave_out: int | None = None,
) -> list[Hit]:
    """The ``count`` texts that fit a question best, without the text numbered ``leave_out``.

    ``vectors``: unit vectors of the texts, float32 ``[texts, dimensions]``, and ``meaning`` that of the question; None
    where words alone count.
    """
    by_words = keywords.scores(question)
    orders = [_order(by_words, by_words > 0, leave_out)]
    if vectors is not None and meaning is not None:
        cosines = vectors @ meaning
        orders.append(_order(cosines, np.ones(len(cosines), np.bool_), leave_out))
    return fused(orders)[:count]


def _order(scores: npt.NDArray[np.float32], allowed: npt.NDArray[np.bool_], leave_out: int | None) -> list[int]:
    order = np.argsort(-scores, kind="stable")
    found = (int(at) for at in order if allowed[at] and at != leave_out)
    return list(islice(found, DEPTH))
