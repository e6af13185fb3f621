"""Trees of pairs: what a chosen and a rejected answer share, their prompt above all, is computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from functools import partial
from itertools import pairwise

from tunesmith.learners.protocol import PreferenceTree, TokenTree
from tunesmith.products import EncodedRow
from tunesmith.training.even_cuts import even_cuts
from tunesmith.training.tree_packing import cut, needed, pack, shared_prefix


def preference_trees(rows: Sequence[EncodedRow], budget: int, workers: int = 1) -> list[PreferenceTree]:
    """The trees of one optimizer step, planned as `tree_packing.plan` plans rows; a pair stays in one tree.

    A pair counts as the nodes that it has by itself less the prefix that its chosen side shares with the
    pair before, so a tree may hold fewer nodes than it was planned for, and never more.
    """
    if not rows:
        return []
    ordered = sorted(rows, key=lambda row: (needed(row), row.id))
    sides = [(needed(row), needed(_other_side(row))) for row in ordered]
    nodes = [len(chosen) + len(rejected) - shared_prefix(chosen, rejected) for chosen, rejected in sides]
    shared = [0, *(shared_prefix(left, right) for (left, _), (right, _) in pairwise(sides))]
    starts = even_cuts(partial(cut, nodes, shared), max(nodes), budget, workers)
    return [_pack(ordered[start:end]) for start, end in pairwise([*starts, len(ordered)])]


def _other_side(row: EncodedRow) -> EncodedRow:
    """The row with its rejected answer."""
    return replace(row, tokens=row.rejected, trained=row.rejected_trained)


def _pack(rows: Sequence[EncodedRow]) -> PreferenceTree:
    sides = [
        *((row, True) for row in rows),
        *((_other_side(row), False) for row in rows),
    ]
    sides.sort(key=lambda side: (needed(side[0]), side[0].id, side[1]))
    tree = pack([row for row, _ in sides])
    place = {(row.id, chosen): number for number, (row, chosen) in enumerate(sides)}
    pairs = tuple((row.id, row.weight, place[row.id, True], place[row.id, False]) for row in rows)
    return PreferenceTree(**{one.name: getattr(tree, one.name) for one in fields(TokenTree)}, pairs=pairs)
