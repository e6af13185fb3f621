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
