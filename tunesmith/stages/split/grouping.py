"""What must not be torn apart: near copies, and the rows of one customer, thread or document."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from tunesmith.stages.split.rows import NOBODY, Ints, Rows


@dataclass(frozen=True)
class Groups:
    """``near`` numbers the groups of near copies, ``whole`` those that also keep keys together; both ``[rows]``.

    ``by_key``: whether keys counted. ``documents_torn``: rows of the largest document where passages of plain text
    files could not stay with their file, since one file holds more than a part may, else 0.
    """

    near: Ints
    whole: Ints
    by_key: bool
    documents_torn: int = 0


def groups_of(rows: Rows, near: Ints, smallest_share: float, *, named: bool) -> Groups:
    """Join the groups of near copies that have a key in common; ``named``: whether the user named the key's column.

    Without a name the keys are the plain text files that passages come from. These are kept whole where the
    largest fits into the smallest part, since else a single book could not be split at all.
    """
    if (rows.key == NOBODY).all():
        return Groups(near, near, by_key=False)
    largest = int(np.bincount(rows.key[rows.key != NOBODY]).max())
    if not named and largest > smallest_share * len(near):
        return Groups(near, near, by_key=False, documents_torn=largest)
    return Groups(near, joined(near, rows.key), by_key=True)


def joined(group: Ints, key: Ints) -> Ints:
    """Groups ``[rows]`` in which rows of one group or one key (-1: none) are together, ascending by first row."""
    first_key = int(group.max()) + 1
    keyed = key != NOBODY
    nodes = first_key + int(key.max()) + 1
    links = (np.ones(int(keyed.sum()), np.int8), (group[keyed], first_key + key[keyed]))
    found = connected_components(sparse.coo_matrix(links, shape=(nodes, nodes)), directed=False)[1]
    return numbered(found[group].astype(np.int64))


def joined_pairs(group: Ints, left: Ints, right: Ints) -> Ints:
    """Groups ``[rows]`` in which the rows of each pair ``(left[i], right[i])`` are together too."""
    count = int(group.max()) + 1
    links = (np.ones(len(left), np.int8), (group[left], group[right]))
    found = connected_components(sparse.coo_matrix(links, shape=(count, count)), directed=False)[1]
    return numbered(found[group].astype(np.int64))


def numbered(labels: Ints) -> Ints:
    """The same groups with numbers that count up by the first row of each."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]
