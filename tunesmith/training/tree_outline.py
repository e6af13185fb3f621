"""The tree of a batch for the eye: runs of tokens that the same rows share, each with what it saves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tunesmith.learners.protocol import PreferenceTree, TokenTree
from tunesmith.products import EncodedRow
from tunesmith.training.tree_packing import needed, shared_prefix


@dataclass(frozen=True)
class Branch:
    """A run of tokens at ``depth`` branchings from the root, computed once for all ``rows`` (ids) that share it.

    ``trained``: one bool a token, True where the loss looks for at least one of the rows. ``computed``: how many of
    the tokens are; those that no target comes after are not.
    """

    depth: int
    tokens: tuple[int, ...]
    trained: tuple[bool, ...]
    rows: tuple[str, ...]
    computed: int

    @property
    def saved(self) -> int:
        """How many tokens need not be computed because rows share these, or because no target comes after them."""
        return len(self.rows) * len(self.tokens) - self.computed


def sequences_of(batch: TokenTree, rows: Sequence[EncodedRow]) -> list[EncodedRow]:
    """The sequences of tokens that a batch computes for its rows: with preferences, two for each."""
    wanted = set(batch.ids)
    own = [row for row in rows if row.id in wanted]
    if isinstance(batch, PreferenceTree):
        own += [replace(row, tokens=row.rejected, trained=row.rejected_trained) for row in own]
    return own


def outline(rows: Sequence[EncodedRow]) -> list[Branch]:
    """The tree of these rows, depth first, each branch before those that go on from it."""
    return list(_branches(sorted(rows, key=lambda row: (row.tokens, row.id)), 0, 0))


def _branches(rows: Sequence[EncodedRow], start: int, depth: int) -> Iterator[Branch]:
    """The branches of rows in lexical order that share their first ``start`` tokens."""
    for group in _by_next_token(rows, start):
        end = shared_prefix(group[0].tokens, group[-1].tokens)  # in lexical order the extremes share least
        furthest = max(len(needed(row)) for row in group)
        yield Branch(
            depth,
            tuple(group[0].tokens[start:end]),
            tuple(any(row.trained[place] for row in group) for place in range(start, end)),
            tuple(row.id for row in group),
            sum(place < furthest for place in range(start, end)),
        )
        yield from _branches(group, end, depth + 1)


def _by_next_token(rows: Sequence[EncodedRow], start: int) -> list[list[EncodedRow]]:
    groups: dict[int, list[EncodedRow]] = {}
    for row in rows:
        if len(row.tokens) > start:
            groups.setdefault(row.tokens[start], []).append(row)
    return list(groups.values())
