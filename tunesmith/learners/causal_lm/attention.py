"""Attention over a token tree that does not pay for what nobody sees.

Nodes are laid out depth first, so the nodes of a block ``[start, end)`` see, outside the block,
only ancestors of its first node: if k < start <= q < leave[k], then k is an ancestor of start too.
The block's keys are therefore the path to its first node and the block itself, and the cost is
N * (depth + block) in place of N * N.

Shapes: H query heads, G key/value heads, N nodes, D head size, K keys of a block.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from tunesmith.learners.protocol import TokenTree

NAME = "tunesmith_tree"
DECODING = "tunesmith_decoding"
BLOCK = 256
#: Sizes of products are rounded up to a multiple of this: oneDNN makes and keeps a kernel for each size that it meets,
#: which cost a tenth of a step and 25 MB each step when every tree had a size of its own.
ROUND = 32


@dataclass(frozen=True)
class Block:
    """Queries ``start`` to ``end``; ``keys``: int64 [K]; ``sees``: bool [end - start, K]."""

    start: int
    end: int
    keys: Tensor
    sees: Tensor

    @cached_property
    def is_whole(self) -> bool:
        """Whether its keys are the first nodes in their order, so that nothing need be gathered."""
        return len(self.keys) == self.end and torch.equal(self.keys, torch.arange(self.end))

    @cached_property
    def _masks(self) -> dict[int, Tensor]:
        return {}

    def mask(self, share: int) -> Tensor:
        """What is added to scores of ``share`` heads laid along the queries: 0 where a key is seen, else minus
        infinity; float32 [1, share * (end - start), K]. Made once for all layers."""
        if share not in self._masks:
            one = torch.zeros(self.sees.shape).masked_fill_(~self.sees, -torch.inf)
            self._masks[share] = one.repeat(share, 1)[None]
        return self._masks[share]


def blocks(tree: TokenTree, size: int = BLOCK) -> list[Block]:
    """Cut a tree into blocks of queries with the keys that each needs."""
    leave = torch.from_numpy(tree.leave)  # (N,)
    found = []
    path: list[int] = []
    for start in range(0, len(leave), size):
        end = min(start + size, len(leave))
        candidates = torch.tensor([*path, *range(max(0, start - size), start)], dtype=torch.int64)
        ancestors = candidates[leave[candidates] > start]
        path = ancestors.tolist()
        queries = torch.arange(start, end)
        unseen = torch.zeros(-len(ancestors) % ROUND, dtype=torch.int64)
        keys = torch.cat([ancestors, unseen, queries])  # (K,)
        sees = (keys[None, :] <= queries[:, None]) & (queries[:, None] < leave[keys][None, :])
        sees[:, len(ancestors) : len(ancestors) + len(unseen)] = False
        found.append(Block(start, end, keys, sees))
    return found


def tree_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    tree_blocks: Sequence[Block] = (),
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """The attention interface of transformers: query (1, H, N, D), key and value (1, G, N, D).

    Returns (1, N, H, D). Query heads that share a key head are laid along the queries, so that
    keys and values are not copied for each of them.
    """
    _, heads, nodes, size = query.shape
    groups = key.shape[1]
    share = heads // groups
    grouped = query.view(1, groups, share, nodes, size)
    out = []
    for block in tree_blocks:
        length = block.end - block.start
        queries = grouped[:, :, :, block.start : block.end].reshape(1, groups, share * length, size)
        attended = scaled_dot_product_attention(
            queries,
            key.index_select(2, block.keys),
            value.index_select(2, block.keys),
            attn_mask=block.sees.repeat(share, 1)[None, None],
            dropout_p=dropout,
            scale=scaling,
        )
        out.append(attended.view(1, heads, length, size))
    return torch.cat(out, dim=2).transpose(1, 2).contiguous(), None


#: Shares are kept for the gradient up to this many pairs of a query and a key in a block, and else computed again.
PAIRS_KEPT = 100_000


def attend(
    query: Tensor, key: Tensor, value: Tensor, heads: int, groups: int, scale: float, blocks: Sequence[Block]
) -> tuple[Tensor, list[Tensor | None]]:
    """Attention over a tree without autograd: query [N, H D], key and value [N, G D], heads side by side.

    Returns [N, H D] and, for each block, the attention shares [G, H/G * Q, K] that `attend_backward`
    needs (None where they are computed again). Scores and their softmax are taken in at least float32.
    """
    out = torch.empty_like(query, memory_format=torch.contiguous_format)
    kept: list[Tensor | None] = []
    for block in blocks:
        queries, keys, values = _of_block(query, key, value, heads, groups, block)
        shares = _shares(queries, keys, scale, block)
        _put(out, torch.bmm(shares, values), heads, groups, block)
        kept.append(shares if block.sees.numel() <= PAIRS_KEPT else None)
    return out, kept


def attend_backward(
    gradient: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    heads: int,
    groups: int,
    scale: float,
    blocks: Sequence[Block],
    kept: Sequence[Tensor | None],
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of query, key and value, given that of the output.

    With shares P = softmax(S): dV = P' dO, dP = dO V', dS = P (dP - rowsum(P dP)), dQ = dS K, dK = dS' Q.
    A key is seen from many blocks; its gradients are summed in at least float32.
    """
    to_query = torch.empty_like(query, memory_format=torch.contiguous_format)
    one = len(blocks) == 1
    wide = torch.promote_types(key.dtype, torch.float32)
    totals = [] if one else [torch.zeros(key.shape, dtype=wide), torch.zeros(value.shape, dtype=wide)]
    for block, shares in zip(blocks, kept, strict=True):
        queries, keys, values = _of_block(query, key, value, heads, groups, block)
        to_out = _take(gradient[block.start : block.end], heads, groups)
        if shares is None:
            shares = _shares(queries, keys, scale, block)
        to_values = torch.bmm(shares.transpose(1, 2), to_out)  # (G, K, D)
        to_shares = torch.bmm(to_out, values.transpose(1, 2))  # (G, H/G Q, K)
        to_scores = torch._softmax_backward_data(to_shares, shares, -1, shares.dtype).mul_(scale)
        _put(to_query, torch.bmm(to_scores, keys), heads, groups, block)
        to_keys = torch.bmm(to_scores.transpose(1, 2), queries)  # (G, K, D)
        laid_out = [part.transpose(0, 1).reshape(len(block.keys), -1) for part in (to_keys, to_values)]
        if one:
            return to_query, laid_out[0], laid_out[1]
        for total, laid in zip(totals, laid_out, strict=True):
            if block.is_whole:
                total[: block.end] += laid
            else:
                total.index_add_(0, block.keys, laid.to(wide))
    return to_query, totals[0].to(key.dtype), totals[1].to(value.dtype)


def _take(part: Tensor, heads: int, groups: int) -> Tensor:
    """[Q, H D] as [G, H/G * Q, D]: query heads that share a key head are laid along the queries."""
    length = part.shape[0]
    return (
        part.reshape(length, groups, heads // groups, -1)
        .permute(1, 2, 0, 3)
        .reshape(groups, -1, part.shape[1] // heads)
    )


def _put(out: Tensor, part: Tensor, heads: int, groups: int, block: Block) -> None:
    """The inverse of `_take`, into the block's rows of ``out``."""
    length = block.end - block.start
    laid = part.view(groups, heads // groups, length, -1).permute(2, 0, 1, 3)
    out[block.start : block.end].view(laid.shape).copy_(laid)


def _of_block(
    query: Tensor, key: Tensor, value: Tensor, heads: int, groups: int, block: Block
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries [G, H/G * Q, D], keys and values [G, K, D] of one block."""
    keys, values = (
        (tensor[: block.end] if block.is_whole else tensor.index_select(0, block.keys))
        .view(len(block.keys), groups, -1)
        .transpose(0, 1)
        .contiguous()
        for tensor in (key, value)
    )
    return _take(query[block.start : block.end], heads, groups), keys, values


def _shares(queries: Tensor, keys: Tensor, scale: float, block: Block) -> Tensor:
    """softmax(scale * Q K' + mask), [G, H/G * Q, K], in the dtype of the queries."""
    wide = torch.promote_types(queries.dtype, torch.float32)
    share = queries.shape[1] // (block.end - block.start)
    mask = block.mask(share).to(wide)
    scores = torch.baddbmm(mask, queries.to(wide), keys.to(wide).transpose(1, 2), alpha=scale)
    return scores.softmax(-1).to(queries.dtype)


def grouped_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attention for decoding: query (B, H, S, D), key and value (B, G, K, D), mask bool (B, 1, S, K).

    Returns (B, S, H, D). As above, keys and values are not copied for each query head.
    """
    if attention_mask is None:
        raise ValueError("grouped_attention needs the mask of its caller")
    rows, heads, length, size = query.shape
    groups = key.shape[1]
    share = heads // groups
    attended = scaled_dot_product_attention(
        query.reshape(rows, groups, share * length, size),
        key,
        value,
        attn_mask=attention_mask.repeat(1, 1, share, 1),
        dropout_p=dropout,
        scale=scaling,
    )
    return attended.view(rows, heads, length, size).transpose(1, 2).contiguous(), None


def install(model: Any) -> None:
    """Make a model use `tree_attention`; each forward call must then be given ``tree_blocks``."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, tree_attention)
    model.set_attn_implementation(NAME)


def install_for_decoding(model: Any) -> None:
    """Make a model use `grouped_attention`; each forward call must then be given a mask (B, 1, S, K)."""
    from transformers import AttentionInterface

    AttentionInterface.register(DECODING, grouped_attention)
    model.set_attn_implementation(DECODING)
