"""The tree that a user is shown is the tree that is computed."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.training.test_preferences import pairs
from tests.unit.training.test_tree_packing import rows as batches
from tunesmith.products import EncodedRow
from tunesmith.training.preference_trees import preference_trees
from tunesmith.training.tree_outline import Branch, outline, sequences_of
from tunesmith.training.tree_packing import trees


def paths(branches: list[Branch]) -> list[tuple[tuple[int, ...], tuple[str, ...]]]:
    """The tokens from the root to the end of each branch, and its rows."""
    found = []
    above: list[Branch] = []
    for branch in branches:
        del above[branch.depth :]
        above.append(branch)
        found.append((tuple(token for one in above for token in one.tokens), branch.rows))
    return found


@given(rows=batches(), budget=st.integers(1, 60))
def test_what_is_shown_is_what_is_computed(rows: list[EncodedRow], budget: int) -> None:
    seen = []
    for tree in trees(rows, budget):
        own = sequences_of(tree, rows)
        branches = outline(own)
        assert sum(branch.computed for branch in branches) == len(tree.tokens)
        saved = sum(branch.saved for branch in branches)
        assert saved == sum(len(row.tokens) for row in own) - len(tree.tokens)
        for path, ids in paths(branches):
            assert path
            for row in own:
                assert (tuple(row.tokens[: len(path)]) == path) == (row.id in ids)
        ends = paths(branches)
        assert all(any(path == tuple(row.tokens) for path, _ in ends) for row in own)
        seen += [row.id for row in own]
    assert sorted(seen) == sorted(row.id for row in rows)


@given(rows=batches())
def test_a_token_is_marked_where_the_loss_looks(rows: list[EncodedRow]) -> None:
    for branch, (path, ids) in zip(outline(rows), paths(outline(rows)), strict=True):
        start = len(path) - len(branch.tokens)
        of_branch = [row for row in rows if row.id in ids]
        for place, trained in enumerate(branch.trained, start):
            assert trained == any(row.trained[place] for row in of_branch)


@given(rows=pairs())
def test_a_pair_is_shown_with_both_answers(rows: list[EncodedRow]) -> None:
    for tree in preference_trees(rows, 1000):
        own = sequences_of(tree, rows)
        both = [replace(row, tokens=row.rejected, trained=row.rejected_trained) for row in rows]
        assert sorted(row.tokens for row in own) == sorted(row.tokens for row in [*rows, *both])
        assert sum(branch.computed for branch in outline(own)) == len(tree.tokens)
