"""The loss of a token tree: cross-entropy at the nodes that have a target, and only there.

Shapes: N nodes, T targets, D hidden size, V vocabulary.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

from tunesmith.learners.causal_lm import decoder_layer
from tunesmith.learners.causal_lm.attention import ROUND, blocks
from tunesmith.learners.causal_lm.decoder_layer import Layer
from tunesmith.learners.causal_lm.stacked_attention import stacks
from tunesmith.learners.protocol import Outcome, PreferenceTree, RowOutcome, TokenTree

#: The last hidden states [N, D] of a tree's nodes, by the model before training.
Reference = Callable[[TokenTree], Tensor]

TARGETS_AT_ONCE = 128


def ancestor_mask(tree: TokenTree) -> Tensor:
    """Which node sees which: bool [N, N], True where k is q's ancestor or q itself."""
    leave = torch.from_numpy(tree.leave)  # (N,)
    index = torch.arange(len(leave))
    return (index[None, :] <= index[:, None]) & (index[:, None] < leave[None, :])


def hidden_states(model: Any, tree: TokenTree, layers: Sequence[Layer] | None = None) -> Tensor:
    """The decoder's last hidden states, [N, D]: by ``layers`` where given, else by transformers' own code."""
    decoder = model.get_decoder()
    tokens, positions = torch.from_numpy(tree.tokens), torch.from_numpy(tree.positions)  # (N,), (N,)
    if layers is not None:
        even = rounded(tree)
        tokens, positions = torch.from_numpy(even.tokens), torch.from_numpy(even.positions)
        return decoder_layer.hidden_states(decoder, layers, tokens, positions, stacks(even))[: len(tree.tokens)]
    output = decoder(
        input_ids=tokens[None],  # (1, N)
        position_ids=positions[None],  # (1, N)
        attention_mask=ancestor_mask(tree)[None, None],  # (1, 1, N, N), for a model without tree attention
        tree_blocks=blocks(tree),
        use_cache=False,
    )
    hidden: Tensor = output.last_hidden_state[0]
    return hidden


def rounded(tree: TokenTree) -> TokenTree:
    """The tree with a multiple of ``ROUND`` nodes: those that are added see themselves alone, and nobody sees them."""
    count = len(tree.tokens)
    more = -count % ROUND
    if not more:
        return tree
    nothing = np.zeros(more, dtype=np.int64)
    return replace(
        tree,
        tokens=np.concatenate([tree.tokens, nothing]),
        positions=np.concatenate([tree.positions, nothing]),
        leave=np.concatenate([tree.leave, np.arange(count, count + more) + 1]),
    )


def tree_loss(model: Any, tree: TokenTree, layers: Sequence[Layer] | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """The summed weighted cross-entropy, which targets greedy decoding gets right (bool [T]), each target's loss [T].

    The first is equal to the padded batch's sum over rows and trained tokens of ``weight * -log p(token)``.
    """
    hidden = hidden_states(model, tree, layers)
    dtype = layers[0].dtype if layers is not None else hidden.dtype
    head = model.get_output_embeddings().weight.to(dtype)  # (V, D), trained with method full
    if not torch.is_grad_enabled():
        head = head.detach()  # else its gradient, as large as itself, would be made and thrown away
    weights = torch.from_numpy(tree.target_weights)  # (T,), float64: the sum is exact enough for any count
    nodes, tokens = torch.from_numpy(tree.target_nodes), torch.from_numpy(tree.target_tokens)  # (T,), (T,)
    states = hidden.index_select(0, nodes).to(dtype)  # (T, D)
    total, hits, losses = CrossEntropy.apply(states, head, tokens, weights)  # type: ignore[no-untyped-call]
    return total, hits, losses


def outcome_of(tree: TokenTree, hits: Tensor, losses: Tensor) -> Outcome:
    """What `tree_loss` found, for the tree and each of its rows."""
    right, each, weights = hits.numpy(), losses.numpy(), tree.target_weights
    rows = {
        id: RowOutcome(float(each[own].mean()), float(right[own].mean()))
        for id, own in zip(tree.ids, tree.row_targets, strict=True)
    }
    return Outcome(float((each * weights).sum()), float((right * weights).sum()), tree.weight, rows)


def preference_loss(
    model: Any, tree: PreferenceTree, layers: Sequence[Layer] | None, reference: Reference, beta: float
) -> tuple[Tensor, Outcome]:
    """Direct preference optimisation (Rafailov et al., arXiv 2305.18290, equation 7) over a tree of pairs.

    With r = log p - log p_ref summed over an answer's tokens, a pair's loss is
    ``-log sigmoid(beta (r_chosen - r_rejected))``. Its gradient with respect to log p of a chosen token is
    ``-beta sigmoid(-margin)`` and of a rejected one the opposite: that of a cross-entropy with signed weights,
    in which what the two answers share cancels out.

    Returns a scalar with that gradient (not that value), and the outcome: a pair is right when its chosen
    answer gained more. ``reference`` gives hidden states without the adapter.
    """
    hidden = hidden_states(model, tree, layers)
    head = model.get_output_embeddings().weight.detach()  # (V, D)
    nodes, tokens = torch.from_numpy(tree.target_nodes), torch.from_numpy(tree.target_tokens)
    states = hidden.index_select(0, nodes)  # (T, D)
    none = torch.zeros(len(nodes), dtype=torch.float64)
    with torch.no_grad():
        *_, losses = CrossEntropy.apply(states.detach(), head, tokens, none)  # type: ignore[no-untyped-call]
        before = reference(tree).index_select(0, nodes)
        *_, reference_losses = CrossEntropy.apply(before, head, tokens, none)  # type: ignore[no-untyped-call]
    gain = reference_losses - losses  # (T,), log p - log p_ref
    weights = none.clone()
    rows: dict[str, RowOutcome] = {}
    for id, weight, chosen, rejected in tree.pairs:
        own = [torch.from_numpy(tree.row_targets[side]) for side in (chosen, rejected)]
        margin = beta * (gain[own[0]].sum() - gain[own[1]].sum())
        rows[id] = RowOutcome(softplus(-margin).item(), float(margin > 0))
        slope = weight * beta * torch.sigmoid(-margin)
        weights[own[0]] += slope
        weights[own[1]] -= slope
    total, *_ = CrossEntropy.apply(states, head, tokens, weights)  # type: ignore[no-untyped-call]
    loss, right = (sum(weight * rows[id][which] for id, weight, _, _ in tree.pairs) for which in (0, 1))
    return total, Outcome(loss, right, tree.weight, rows)


_buffers = threading.local()


def _buffer(name: str, rows: int, columns: int, dtype: torch.dtype) -> Tensor:
    """Room for one chunk of logits, held by the thread: fresh pages for it would cost as much as filling them."""
    held = getattr(_buffers, name, None)
    if held is None or held.dtype != dtype or held.shape[1] != columns:
        held = torch.empty(TARGETS_AT_ONCE, columns, dtype=dtype)
        setattr(_buffers, name, held)
    return held[:rows]


class CrossEntropy(torch.autograd.Function):
    """Summed weighted cross-entropy of a linear head, which targets have the largest logit, and each loss.

    Logits are made for ``TARGETS_AT_ONCE`` targets at a time and turned into their own gradient at once
    (softmax minus one at the target; Liger, arXiv 2410.10989), so that they are never kept.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, head: Tensor, tokens: Tensor, weights: Tensor) -> tuple[Tensor, ...]:
        """hidden [T, D], head [V, D], tokens [T], weights [T]; a float64 sum, bool [T] and float64 losses [T]."""
        wide = torch.promote_types(hidden.dtype, torch.float32)
        hits = torch.empty(len(tokens), dtype=torch.bool)
        losses = torch.empty(len(tokens), dtype=torch.float64)
        to_hidden = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
        to_head = torch.zeros(head.shape, dtype=wide) if ctx.needs_input_grad[1] else None
        for start in range(0, len(tokens), TARGETS_AT_ONCE):
            part = slice(start, start + TARGETS_AT_ONCE)
            size = min(TARGETS_AT_ONCE, len(tokens) - start)
            states = hidden.new_zeros(size + -size % ROUND, hidden.shape[1])  # (t', D), t' a multiple of ROUND
            states[:size] = hidden[part]
            narrow = _buffer("narrow", len(states), len(head), hidden.dtype)  # (t', V)
            torch.mm(states, head.T, out=narrow)
            logits = _buffer("wide", size, len(head), wide).copy_(narrow[:size])  # (t, V)
            target, weight = tokens[part, None], weights[part].to(wide)[:, None]  # (t, 1), (t, 1)
            largest = logits.amax(1, keepdim=True)  # (t, 1)
            chosen = logits.gather(1, target)  # (t, 1)
            shares = logits.sub_(largest).exp_()
            sums = shares.sum(1, keepdim=True)  # (t, 1)
            losses[part] = (sums.log() + largest - chosen)[:, 0]
            hits[part] = (chosen == largest)[:, 0]
            if to_hidden is None and to_head is None:
                continue
            gradient = shares.mul_(weight / sums)
            gradient.scatter_add_(1, target, -weight)
            narrow[:size] = gradient
            narrow[size:] = 0
            if to_hidden is not None:
                to_hidden[part] = (narrow @ head)[:size]
            if to_head is not None:
                to_head += (narrow.T @ states).to(wide)
        ctx.save_for_backward(to_hidden, to_head.to(head.dtype) if to_head is not None else None)
        ctx.mark_non_differentiable(hits, losses)
        return (losses * weights).sum(), hits, losses

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        to_hidden, to_head = ctx.saved_tensors
        scale = gradients[0].item()
        return (*(gradient if gradient is None else gradient * scale for gradient in (to_hidden, to_head)), None, None)
