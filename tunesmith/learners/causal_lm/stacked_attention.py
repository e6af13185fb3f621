"""Attention over a token tree with its gradient written out, for our own decoder layers.

As in attention.py a block of queries is given the keys that it needs. Neighbouring blocks whose numbers of
keys are alike are computed together, in one product of matrices laid side by side: so blocks may be
small, and little is computed that nobody sees, without an operation for each block.

Shapes: B blocks of a stack, Q queries of a block, K keys of a block; H query heads, G key/value heads, D head size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from tunesmith.learners.causal_lm.attention import BLOCK, Block, blocks
from tunesmith.learners.protocol import TokenTree

#: The smallest block; sizes are powers of two from here to BLOCK.
SMALLEST = 32
#: Shares are kept for the gradient up to this many pairs of a query and a key in a stack, and else computed again.
PAIRS_KEPT = 100_000
#: Blocks are put in one stack while the keys that pad them are at most this share of all.
PADDED = 0.5


@dataclass(frozen=True)
class Stack:
    """Blocks of queries that follow each other from node ``start`` on.

    ``keys``: int64 [B, K], the nodes that each block's queries may see; ``sees``: bool [B, Q, K].
    """

    start: int
    keys: Tensor
    sees: Tensor

    @property
    def end(self) -> int:
        return self.start + self.sees.shape[0] * self.sees.shape[1]

    @cached_property
    def is_whole(self) -> bool:
        """Whether it is one block whose keys are the first nodes in their order, so that nothing need be gathered."""
        return self.keys.shape == (1, self.end) and torch.equal(self.keys[0], torch.arange(self.end))

    @cached_property
    def _masks(self) -> dict[tuple[int, int, torch.dtype], Tensor]:
        return {}

    def mask(self, groups: int, share: int, dtype: torch.dtype) -> Tensor:
        """What is added to scores of ``share`` heads laid along the queries: 0 where a key is seen, else minus
        infinity.

        [B G, share * Q, K], or [1, share * Q, K] for a single block. Made once for all layers.
        """
        kind = (groups, share, dtype)
        if kind not in self._masks:
            one = torch.zeros(self.sees.shape, dtype=dtype).masked_fill_(~self.sees, -torch.inf).repeat(1, share, 1)
            self._masks[kind] = one if len(one) == 1 else one.repeat_interleave(groups, 0)
        return self._masks[kind]


def stacks(tree: TokenTree, size: int | None = None) -> list[Stack]:
    """Cut a tree into blocks of ``size`` queries (by default about as many as nodes are deep), and stack them."""
    cut = blocks(tree, size or block_size(tree))
    found: list[Stack] = []
    run: list[Block] = []
    for block in cut:
        if run and not _fit(run, block):
            found.append(_stacked(run))
            run = []
        run.append(block)
    return [*found, _stacked(run)]


def block_size(tree: TokenTree) -> int:
    """A block of Q queries at depth d computes Q (d + Q) pairs: the smallest power of two not below the mean depth."""
    depth = float(tree.positions.mean()) + 1
    size = SMALLEST
    while size < min(depth, BLOCK):
        size *= 2
    return size


def _fit(run: Sequence[Block], block: Block) -> bool:
    """Whether a block goes on in a stack: as many queries, numbers of keys alike, and not too many pairs in all."""
    sizes = [len(one.keys) for one in (*run, block)]
    padded = len(sizes) * max(sizes)
    queries = run[0].end - run[0].start
    return block.end - block.start == queries and padded <= (1 + PADDED) * sum(sizes) and queries * padded <= PAIRS_KEPT


def _stacked(run: Sequence[Block]) -> Stack:
    most = max(len(block.keys) for block in run)
    keys = torch.zeros(len(run), most, dtype=torch.int64)
    sees = torch.zeros(len(run), run[0].end - run[0].start, most, dtype=torch.bool)
    for place, block in enumerate(run):
        keys[place, : len(block.keys)] = block.keys
        sees[place, :, : len(block.keys)] = block.sees
    return Stack(run[0].start, keys, sees)


def attend(
    query: Tensor, key: Tensor, value: Tensor, heads: int, groups: int, scale: float, stacks: Sequence[Stack]
) -> tuple[Tensor, list[Tensor | None]]:
    """Attention over a tree without autograd: query [N, H D], key and value [N, G D], heads side by side.

    Returns [N, H D] and, for each stack, the attention shares [B G, H/G * Q, K] that `attend_backward`
    needs (None where they are computed again). Scores and their softmax are taken in at least float32.
    """
    out = torch.empty_like(query, memory_format=torch.contiguous_format)
    kept: list[Tensor | None] = []
    for stack in stacks:
        queries, keys, values = _of_stack(query, key, value, heads, groups, stack)
        shares = _shares(queries, keys, groups, scale, stack)
        _put(out, torch.bmm(shares, values), heads, groups, stack)
        kept.append(shares if stack.sees.numel() <= PAIRS_KEPT else None)
    return out, kept


def attend_backward(
    gradient: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    heads: int,
    groups: int,
    scale: float,
    stacks: Sequence[Stack],
    kept: Sequence[Tensor | None],
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of query, key and value, given that of the output.

    With shares P = softmax(S): dV = P' dO, dP = dO V', dS = P (dP - rowsum(P dP)), dQ = dS K, dK = dS' Q.
    A key is seen from many blocks; its gradients are summed in at least float32.
    """
    to_query = torch.empty_like(query, memory_format=torch.contiguous_format)
    one = stacks[0].is_whole and len(stacks) == 1
    wide = torch.promote_types(key.dtype, torch.float32)
    totals = [] if one else [torch.zeros(key.shape, dtype=wide), torch.zeros(value.shape, dtype=wide)]
    for stack, shares in zip(stacks, kept, strict=True):
        queries, keys, values = _of_stack(query, key, value, heads, groups, stack)
        to_out = _take(gradient, heads, groups, stack)
        if shares is None:
            shares = _shares(queries, keys, groups, scale, stack)
        to_values = torch.bmm(shares.transpose(1, 2), to_out)  # (B G, K, D)
        to_shares = torch.bmm(to_out, values.transpose(1, 2))  # (B G, H/G Q, K)
        to_scores = torch._softmax_backward_data(to_shares, shares, -1, shares.dtype).mul_(scale)
        _put(to_query, torch.bmm(to_scores, keys), heads, groups, stack)
        to_keys = torch.bmm(to_scores.transpose(1, 2), queries)  # (B G, K, D)
        laid_out = [_side_by_side(part, groups) for part in (to_keys, to_values)]
        if one:
            return to_query, laid_out[0], laid_out[1]
        for total, laid in zip(totals, laid_out, strict=True):
            if stack.is_whole:
                total[: stack.end] += laid
            else:
                total.index_add_(0, stack.keys.view(-1), laid.to(wide))
    return to_query, totals[0].to(key.dtype), totals[1].to(value.dtype)


def _take(rows: Tensor, heads: int, groups: int, stack: Stack) -> Tensor:
    """Of [N, H D] the stack's queries as [B G, H/G * Q, D]: heads that share a key head are laid along the queries."""
    count, length, _ = stack.sees.shape
    part = rows[stack.start : stack.end].reshape(count, length, groups, heads // groups, -1)
    return part.permute(0, 2, 3, 1, 4).reshape(count * groups, heads // groups * length, -1)


def _put(out: Tensor, part: Tensor, heads: int, groups: int, stack: Stack) -> None:
    """The inverse of `_take`, into the stack's rows of ``out``."""
    count, length, _ = stack.sees.shape
    laid = part.view(count, groups, heads // groups, length, -1).permute(0, 3, 1, 2, 4)
    out[stack.start : stack.end].view(laid.shape).copy_(laid)


def _side_by_side(part: Tensor, groups: int) -> Tensor:
    """[B G, K, D] as [B K, G D]."""
    _, keys, size = part.shape
    return part.view(-1, groups, keys, size).transpose(1, 2).reshape(-1, groups * size)


def _of_stack(
    query: Tensor, key: Tensor, value: Tensor, heads: int, groups: int, stack: Stack
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries [B G, H/G * Q, D], keys and values [B G, K, D] of one stack."""
    count, length = stack.keys.shape
    keys, values = (
        (tensor[: stack.end] if stack.is_whole else tensor.index_select(0, stack.keys.view(-1)))
        .reshape(count, length, groups, -1)
        .transpose(1, 2)
        .reshape(count * groups, length, -1)
        for tensor in (key, value)
    )
    return _take(query, heads, groups, stack), keys, values


def _shares(queries: Tensor, keys: Tensor, groups: int, scale: float, stack: Stack) -> Tensor:
    """softmax(scale * Q K' + mask), [B G, H/G * Q, K], in the dtype of the queries."""
    wide = torch.promote_types(queries.dtype, torch.float32)
    share = queries.shape[1] // stack.sees.shape[1]
    mask = stack.mask(groups, share, wide)
    scores = torch.baddbmm(mask, queries.to(wide), keys.to(wide).transpose(1, 2), alpha=scale)
    return scores.softmax(-1).to(queries.dtype)
