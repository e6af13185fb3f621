"""Batches of whole rows hold every row, keep their budget and are even among workers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tunesmith.products import EncodedRow
from tunesmith.training.row_batches import row_batches


def row(number: int, length: int) -> EncodedRow:
    return EncodedRow(f"{number:03}", [1] * length, [False] * length, 0, 1.0, length)


@given(lengths=st.lists(st.integers(1, 40), max_size=60), budget=st.integers(1, 400), workers=st.integers(1, 4))
def test_every_row_is_in_one_batch_within_the_budget(lengths, budget, workers):
    rows = [row(number, length) for number, length in enumerate(lengths)]
    batches = row_batches(rows, budget, workers)
    assert sorted(one.id for batch in batches for one in batch.rows) == [one.id for one in rows]
    for batch in batches:
        assert batch.rows
        padded = len(batch.rows) * max(len(one.tokens) for one in batch.rows)
        assert padded <= max(budget, *lengths)


def test_two_workers_get_about_as_many_tokens_each():
    rows = [row(number, 5 + number % 20) for number in range(64)]
    tokens = [batch.computed for batch in row_batches(rows, 8192, 2)]
    assert len(tokens) == 2
    assert sum(tokens) == sum(len(one.tokens) for one in rows)
    assert max(tokens) < 1.1 * min(tokens)
