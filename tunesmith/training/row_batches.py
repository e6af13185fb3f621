"""Batches of whole rows for encoders: neighbours in length share a batch, so that little is padded."""

from __future__ import annotations

from collections.abc import Sequence

from tunesmith.learners.protocol import RowBatch
from tunesmith.products import EncodedRow


def row_batches(rows: Sequence[EncodedRow], budget: int) -> list[RowBatch]:
    """Group the rows of one optimizer step, shortest first, into batches of at most ``budget`` padded tokens."""
    ordered = sorted(rows, key=lambda row: (len(row.tokens), row.id))
    batches: list[list[EncodedRow]] = []
    for row in ordered:
        if batches and (len(batches[-1]) + 1) * len(row.tokens) <= budget:
            batches[-1].append(row)
        else:
            batches.append([row])
    return [RowBatch(tuple(batch)) for batch in batches]
