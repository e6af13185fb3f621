"""The loss of a token tree: cross-entropy at the nodes that have a target, and only there.

Shapes: N nodes, T targets, D hidden size, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from tunesmith.learners.causal_lm.attention import blocks
from tunesmith.learners.protocol import TokenTree

TARGETS_AT_ONCE = 256


def ancestor_mask(tree: TokenTree) -> Tensor:
    """Which node sees which: bool [N, N], True where k is q's ancestor or q itself."""
    leave = torch.from_numpy(tree.leave)  # (N,)
    index = torch.arange(len(leave))
    return (index[None, :] <= index[:, None]) & (index[:, None] < leave[None, :])


def hidden_states(model: Any, tree: TokenTree) -> Tensor:
    """The decoder's last hidden states, [N, D]."""
    output = model.get_decoder()(
        input_ids=torch.from_numpy(tree.tokens)[None],  # (1, N)
        position_ids=torch.from_numpy(tree.positions)[None],  # (1, N)
        attention_mask=ancestor_mask(tree)[None, None],  # (1, 1, N, N), for a model without tree attention
        tree_blocks=blocks(tree),
        use_cache=False,
    )
    hidden: Tensor = output.last_hidden_state[0]
    return hidden


def tree_loss(model: Any, tree: TokenTree) -> tuple[Tensor, Tensor]:
    """The summed weighted cross-entropy, and the weight of targets that greedy decoding gets right.

    Equal to the padded batch's sum over rows and trained tokens of ``weight * -log p(token)``.
    Logits are made for ``TARGETS_AT_ONCE`` targets at a time.
    """
    hidden = hidden_states(model, tree)
    head = model.get_output_embeddings().weight  # (V, D)
    weights = torch.from_numpy(tree.target_weights)  # (T,), float64: the sum is exact enough for any count
    nodes, tokens = torch.from_numpy(tree.target_nodes), torch.from_numpy(tree.target_tokens)  # (T,), (T,)
    total, right = torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    for start in range(0, len(nodes), TARGETS_AT_ONCE):
        part = slice(start, start + TARGETS_AT_ONCE)
        logits = hidden[nodes[part]] @ head.T  # (t, V)
        logits = logits if logits.dtype == torch.float64 else logits.float()
        losses = cross_entropy(logits, tokens[part], reduction="none")  # (t,)
        total = total + (losses * weights[part]).sum()
        with torch.no_grad():
            right = right + ((logits.argmax(-1) == tokens[part]) * weights[part]).sum()
    return total, right
