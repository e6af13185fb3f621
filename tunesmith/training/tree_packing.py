"""Token-tree packing: the rows of a batch become trees of tokens, so that equal prefixes are computed once.

Under a causal mask the state at a token depends on the tokens before it alone, so rows that begin
alike have equal states as far as they are alike. Lay the tree (a trie of the rows) out depth first.
A node's index is the time at which the walk enters it; ``leave`` is the index after its last
descendant. Node q sees node k when ``k <= q < leave[k]``: exactly its ancestors and itself. Its
position is its depth. A target is a (node, next token, weight) triple; a node may have several,
one for each way that rows go on. Equal triples are merged by adding their weights, which leaves the
loss ``sum(weight * cross_entropy)`` and its gradient those of the padded batch. What follows the last
token that any target is foretold from is not computed: an answer's end token is a target, and never an input.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from operator import itemgetter

import numpy as np

from tunesmith.learners.protocol import TokenTree
from tunesmith.products import EncodedRow
from tunesmith.training.even_cuts import even_cuts


def shared_prefix(left: Sequence[int], right: Sequence[int]) -> int:
    """How many leading tokens two rows share."""
    limit = min(len(left), len(right))
    for index in range(limit):
        if left[index] != right[index]:
            return index
    return limit


def needed(row: EncodedRow) -> Sequence[int]:
    """The leading tokens of a row that a target is foretold from: those before its last trained one (at least one)."""
    last = len(row.trained) - 1
    while last > 1 and not row.trained[last]:
        last -= 1
    return row.tokens[: max(1, last)]


def plan(rows: Sequence[EncodedRow], budget: int, workers: int = 1) -> list[list[EncodedRow]]:
    """Group the rows of one optimizer step into trees of at most ``budget`` nodes, even in size.

    Rows are put in lexical order of what is needed of them, where equal prefixes are neighbours, and cut into
    runs; a prefix that straddles a cut is computed once on each side. Where a row is longer than the budget,
    its length is the budget. The number of trees is a multiple of ``workers`` where that can be. Cost: one
    sort, O(n log n) comparisons.
    """
    if not rows:
        return []
    ordered = sorted(((needed(row), row.id, row) for row in rows), key=itemgetter(0, 1))
    lengths = [len(tokens) for tokens, _, _ in ordered]
    shared = [0, *(shared_prefix(left, right) for (left, *_), (right, *_) in pairwise(ordered))]
    starts = even_cuts(partial(cut, lengths, shared), max(lengths), budget, workers)
    return [[row for _, _, row in ordered[start:end]] for start, end in pairwise([*starts, len(ordered)])]


def cut(lengths: Sequence[int], shared: Sequence[int], budget: int) -> list[int]:
    """Where each tree starts, when every tree takes as many rows as its ``budget`` of nodes holds."""
    starts: list[int] = []
    nodes = 0
    for place, (length, common) in enumerate(zip(lengths, shared, strict=True)):
        if starts and nodes + length - common <= budget:
            nodes += length - common
        else:
            starts.append(place)
            nodes = length
    return starts


def pack(rows: Sequence[EncodedRow]) -> TokenTree:
    """Lay rows in lexical order out as one tree. ``rows`` as `plan` orders them."""
    tokens: list[int] = []
    positions: list[int] = []
    leave: list[int] = []
    path: list[int] = []  # the node at each depth of the current row
    targets: dict[tuple[int, int], float] = {}
    of_rows: list[list[tuple[int, int]]] = []
    previous: Sequence[int] = ()
    for row in rows:
        of_rows.append([])
        inputs = needed(row)
        shared = shared_prefix(previous, inputs)
        for node in path[shared:]:
            leave[node] = len(tokens)
        del path[shared:]
        for depth in range(shared, len(inputs)):
            path.append(len(tokens))
            tokens.append(inputs[depth])
            positions.append(depth)
            leave.append(-1)
        for depth in range(1, min(len(inputs) + 1, len(row.tokens))):
            if row.trained[depth]:
                key = (path[depth - 1], row.tokens[depth])
                targets[key] = targets.get(key, 0.0) + row.weight
                of_rows[-1].append(key)
        previous = inputs
    for node in path:
        leave[node] = len(tokens)
    nodes = sorted(targets)
    number = {key: place for place, key in enumerate(nodes)}
    return TokenTree(
        tokens=np.array(tokens, dtype=np.int64),
        positions=np.array(positions, dtype=np.int64),
        leave=np.array(leave, dtype=np.int64),
        target_nodes=np.array([node for node, _ in nodes], dtype=np.int64),
        target_tokens=np.array([token for _, token in nodes], dtype=np.int64),
        target_weights=np.array([targets[key] for key in nodes], dtype=np.float64),
        ids=tuple(row.id for row in rows),
        row_targets=tuple(np.array([number[key] for key in keys], dtype=np.int64) for keys in of_rows),
    )


def trees(rows: Sequence[EncodedRow], budget: int, workers: int = 1) -> list[TokenTree]:
    """The trees of one optimizer step, for so many workers side by side."""
    return [pack(group) for group in plan(rows, budget, workers)]
