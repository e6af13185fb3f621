"""Batches of whole rows for encoders: neighbours in length share a batch, so that little is padded where rows are."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import accumulate, pairwise

from tunesmith.learners.protocol import RowBatch
from tunesmith.products import EncodedRow
from tunesmith.training.even_cuts import even_cuts


def row_batches(rows: Sequence[EncodedRow], budget: int, workers: int = 1) -> list[RowBatch]:
    """Group the rows of one optimizer step, shortest first, into batches of at most ``budget`` tokens, even if padded.

    The batches are even in tokens and a multiple of ``workers`` where that can be.
    """
    if not rows:
        return []
    ordered = sorted(rows, key=lambda row: (len(row.tokens), row.id))
    lengths = [len(row.tokens) for row in ordered]
    starts = even_cuts(partial(_cut, lengths, max(budget, lengths[-1])), lengths[-1], budget, workers)
    return [RowBatch(tuple(ordered[start:end])) for start, end in pairwise([*starts, len(ordered)])]


def _cut(lengths: Sequence[int], padded: int, tokens: int) -> list[int]:
    """Where each batch starts, when every batch takes as many rows as fit into so many ``tokens``, and into ``padded``
    tokens were they padded to its longest row."""
    starts: list[int] = []
    before = [0, *accumulate(lengths)]
    for place, length in enumerate(lengths):  # ascending, so a row's length is the padded length of its batch
        if not starts or before[place + 1] - before[starts[-1]] > tokens or (place - starts[-1] + 1) * length > padded:
            starts.append(place)
    return starts
