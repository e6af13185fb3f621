"""Rows of unequal length side by side, without padding each to the longest: bins of whole rows.

Everything in an encoder but attention treats tokens one by one, so it needs no rows. For attention the rows are
put into bins of a few equal sizes, as boxes into crates: within a bin each token sees its own row alone. Bins of one
size are one stack, whose attention is a few products of matrices laid side by side. All sizes are multiples of 32,
so that few kernels are made.

A bin begins with the first tokens of its rows, which are all that the last layer is asked for; the order of tokens is
free, since their positions are embedded.

Shapes: R rows, N tokens of all bins, B bins of a stack, P tokens of a bin.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

#: Sizes of bins; above the last, multiples of it.
SIZES = (32, 64, 96, 128, 192, 256, 384, 512)
#: A bin is opened at this size at least, so that several short rows share one.
OPENED = 64
#: How many tokens of each bin the last layer computes is a multiple of this.
FIRSTS = 8


@dataclass(frozen=True)
class Stack:
    """``count`` bins of ``size`` tokens each, from token ``start`` on. The first tokens of a bin's rows are among its
    first ``firsts``. ``mask``: [B, 1, P, P], 0 where a token sees another, else minus infinity."""

    start: int
    count: int
    size: int
    firsts: int
    mask: Tensor

    @property
    def end(self) -> int:
        return self.start + self.count * self.size


@dataclass(frozen=True)
class PackedRows:
    """``tokens`` and ``positions``: int64 [N]; a token that fills a bin up sees others of its kind, and nobody
    sees it. ``firsts``: int64 [R], where each row's first token is among the first tokens of all bins."""

    tokens: Tensor
    positions: Tensor
    stacks: tuple[Stack, ...]
    firsts: Tensor


def pack(rows: Sequence[Sequence[int]], fill: int) -> PackedRows:
    """Put rows of token ids into bins; ``fill`` is the token that fills bins up."""
    tokens, positions, stacks = [], [], []
    firsts = np.zeros(len(rows), dtype=np.int64)
    start = before = 0
    for size, bins in _by_size(_bins([len(row) for row in rows]), rows):
        most = max(map(len, bins))
        ids, places, owner = (np.full((len(bins), size), value, dtype=np.int64) for value in (fill, 0, -1))
        width = min(size, most + -most % FIRSTS)
        for number, members in enumerate(bins):
            at = len(members)
            for slot, row in enumerate(members):
                rest = len(rows[row]) - 1
                ids[number, slot] = rows[row][0]
                ids[number, at : at + rest] = rows[row][1:]
                places[number, at : at + rest] = np.arange(1, rest + 1)
                owner[number, slot] = owner[number, at : at + rest] = row
                firsts[row] = before + number * width + slot
                at += rest
        sees = torch.from_numpy(owner[:, None, :, None] == owner[:, None, None, :])  # (B, 1, P, P)
        mask = torch.zeros(sees.shape).masked_fill_(~sees, -torch.inf)
        stacks.append(Stack(start, len(bins), size, width, mask))
        tokens.append(ids.reshape(-1))
        positions.append(places.reshape(-1))
        start += len(bins) * size
        before += len(bins) * width
    laid, depths = (torch.from_numpy(np.concatenate(parts)) for parts in (tokens, positions))
    return PackedRows(laid, depths, tuple(stacks), torch.from_numpy(firsts))


def _bins(lengths: Sequence[int]) -> list[list[int]]:
    """Row numbers by bin: the longest row first, each into the fullest bin that has room for it (best fit)."""
    bins: list[list[int]] = []
    room: list[tuple[int, int]] = []  # of each bin that is not full, least first
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        length = lengths[row]
        place = bisect_left(room, (length, -1))
        if place < len(room):
            left, number = room.pop(place)
        else:
            left, number = size_of(max(length, OPENED)), len(bins)
            bins.append([])
        bins[number].append(row)
        if left > length:
            insort(room, (left - length, number))
    return bins


def _by_size(bins: Sequence[list[int]], rows: Sequence[Sequence[int]]) -> Iterator[tuple[int, list[list[int]]]]:
    """Bins of each size, the largest first. A bin that did not fill up is made smaller."""
    found: dict[int, list[list[int]]] = {}
    for members in bins:
        found.setdefault(size_of(sum(len(rows[row]) for row in members)), []).append(members)
    yield from sorted(found.items(), reverse=True)


def size_of(tokens: int) -> int:
    """The smallest size of a bin that holds so many tokens."""
    if tokens > SIZES[-1]:
        return -(-tokens // SIZES[-1]) * SIZES[-1]
    return SIZES[bisect_left(SIZES, tokens)]
