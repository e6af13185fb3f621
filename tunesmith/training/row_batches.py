"""Batches of whole rows for encoders: neighbours in length share a batch, so that little is padded."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

from tunesmith.learners.protocol import RowBatch
from tunesmith.products import EncodedRow
from tunesmith.training.even_cuts import even_cuts


def row_batches(rows: Sequence[EncodedRow], budget: int, workers: int = 1) -> list[RowBatch]:
    """Group the rows of one optimizer step, shortest first, into batches of at most ``budget`` padded tokens.

    The batches are even in padded tokens and a multiple of ``workers`` where that can be.
    """
    if not rows:
        return []
    ordered = sorted(rows, key=lambda row: (len(row.tokens), row.id))
    lengths = [len(row.tokens) for row in ordered]
    starts = even_cuts(partial(_cut, lengths), lengths[-1], budget, workers)
    return [RowBatch(tuple(ordered[start:end])) for start, end in pairwise([*starts, len(ordered)])]


def _cut(lengths: Sequence[int], budget: int) -> list[int]:
    """Where each batch starts, when every batch takes as many rows as its ``budget`` of padded tokens holds."""
    starts: list[int] = []
    for place, length in enumerate(lengths):  # ascending, so a row's length is the padded length of its batch
        if not starts or (place - starts[-1] + 1) * length > budget:
            starts.append(place)
    return starts
