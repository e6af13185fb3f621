"""Attention of packed rows with its gradient written out, for our own encoder layers.

Shapes: N tokens, B bins of a stack, P tokens of a bin, Q of them that ask, H heads, S head size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tunesmith.learners.classifier.packed_rows import Stack


@dataclass(frozen=True)
class Heads:
    """``count`` heads of ``size`` each; ``scale`` of their products."""

    count: int
    size: int
    scale: float


def attend(
    mixed: Tensor, heads: Heads, stacks: Sequence[Stack], only_firsts: bool
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Every token's mean of the values of its row, weighted by shares: softmax(scale * Q K').

    mixed: [N, 3 H S], queries, keys and values side by side. With ``only_firsts`` the first tokens of each bin
    alone are computed. Returns [N or fewer, H S], and for the gradient each stack's heads [3, B H, P, S] and
    shares [B H, Q, P].
    """
    outs, split, kept = [], [], []
    wide = torch.promote_types(mixed.dtype, torch.float32)
    for stack in stacks:
        count, size = stack.count, stack.size
        part = mixed[stack.start : stack.end].view(count, size, 3, heads.count, heads.size)
        parts = part.permute(2, 0, 3, 1, 4).reshape(3, count * heads.count, size, heads.size)
        asking = stack.firsts if only_firsts else size
        scores = torch.bmm(parts[0, :, :asking].to(wide), parts[1].to(wide).transpose(1, 2))  # (B H, Q, P)
        laid = scores.view(count, heads.count, asking, size)
        torch.add(stack.mask[:, :, :asking], laid, alpha=heads.scale, out=laid)
        shares = scores.softmax(-1).to(mixed.dtype)
        out = torch.bmm(shares, parts[2])  # (B H, Q, S)
        outs.append(out.view(count, heads.count, asking, heads.size).transpose(1, 2).reshape(count * asking, -1))
        split.append(parts)
        kept.append(shares)
    return outs[0] if len(outs) == 1 else torch.cat(outs), split, kept


def attend_backward(
    gradient: Tensor, heads: Heads, stacks: Sequence[Stack], split: Sequence[Tensor], kept: Sequence[Tensor]
) -> Tensor:
    """The gradient of queries, keys and values side by side, [N, 3 H S], given that of the output.

    With shares P = softmax(S): dV = P' dO, dP = dO V', dS = P (dP - rowsum(P dP)), dQ = dS K, dK = dS' Q.
    """
    to_mixed = gradient.new_empty(stacks[-1].end, 3 * heads.count * heads.size)
    start = 0
    for stack, parts, shares in zip(stacks, split, kept, strict=True):
        count, size, asking = stack.count, stack.size, shares.shape[1]
        end = start + count * asking
        out = gradient[start:end].view(count, asking, heads.count, heads.size)
        to_out = out.transpose(1, 2).reshape(count * heads.count, asking, heads.size)
        start = end
        to_parts = torch.empty_like(parts)
        torch.bmm(shares.transpose(1, 2), to_out, out=to_parts[2])
        to_shares = torch.bmm(to_out, parts[2].transpose(1, 2))  # (B H, Q, P)
        to_scores = torch._softmax_backward_data(to_shares, shares, -1, shares.dtype).mul_(heads.scale)
        torch.bmm(to_scores.transpose(1, 2), parts[0, :, :asking], out=to_parts[1])
        if asking == size:
            torch.bmm(to_scores, parts[1], out=to_parts[0])
        else:
            to_parts[0].zero_()
            to_parts[0, :, :asking] = torch.bmm(to_scores, parts[1])
        laid = to_mixed[stack.start : stack.end].view(count, size, 3, heads.count, heads.size)
        laid.copy_(to_parts.view(3, count, heads.count, size, heads.size).permute(1, 3, 0, 2, 4))
    return to_mixed
