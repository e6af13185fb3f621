"""A decoder layer over a token tree in one piece: low-rank adapters on frozen weights, or all weights trained.

Autograd would keep and replay some sixty small operations a layer. Here a layer is one function with
its gradient written out: projections that share an input are multiplied together, adapters are
added by the matrix product itself, the residual is the product's addend, and what is cheap to
compute again (norms, the gated activation) is not kept.

For the layer of the Llama family (LLaMA, arXiv 2302.13971: RMSNorm, rotary positions, grouped
queries, SwiGLU); `layers_of` says None for any other, and these run through transformers' own code.

Shapes: N nodes, D hidden size, H query heads, G key/value heads, S head size, F inner size of the
feed-forward part, R rank.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from tunesmith.learners.causal_lm.projection import Projection, projection_of
from tunesmith.learners.causal_lm.stacked_attention import Stack, attend, attend_backward
from tunesmith.learners.trained_projection import TrainedProjection, trained_projection_of

#: The projections of a layer.
PARTS = ("into_attention", "out_of_attention", "into_feed_forward", "out_of_feed_forward")


@dataclass(frozen=True)
class Heads:
    """How the hidden size is cut: ``queries`` and ``keys`` heads of ``size`` each; ``scale`` of their products."""

    queries: int
    keys: int
    size: int
    scale: float


@dataclass(frozen=True)
class Layer:
    """One decoder layer's weights. ``trained_norms``: the norms' parameters where they are trained, else none.

    ``checkpointed``: for the gradient its input alone is kept and the layer computed again (activation
    checkpointing; Chen et al., arXiv 1604.06174): the same numbers in a tenth of the memory for half as much work more.
    """

    into_attention: Projection | TrainedProjection
    out_of_attention: Projection | TrainedProjection
    into_feed_forward: Projection | TrainedProjection
    out_of_feed_forward: Projection | TrainedProjection
    attention_norm: Tensor
    feed_forward_norm: Tensor
    epsilon: float
    heads: Heads
    trained_norms: tuple[Tensor, ...] = ()
    checkpointed: bool = False

    @property
    def dtype(self) -> torch.dtype:
        """What activations and products are in."""
        return self.into_attention.weight.dtype

    def trained(self) -> list[Tensor]:
        """What training changes, in the order of the gradients."""
        return [*(tensor for part in PARTS for tensor in getattr(self, part).trained), *self.trained_norms]

    def ready(self) -> Layer:
        """The layer with what is trained as it is now, cast once: what `__call__` needs."""
        now = {part: getattr(self, part).ready() for part in PARTS}
        if self.trained_norms:
            dtype = now["into_attention"].weight.dtype
            norms = [norm.detach().to(dtype) for norm in self.trained_norms]
            now |= {"attention_norm": norms[0], "feed_forward_norm": norms[1]}
        return replace(self, **now)

    def without_adapters(self) -> Layer:
        """The layer as it was before training."""
        return replace(self, **{part: getattr(self, part).without_adapters() for part in PARTS})

    def __call__(self, x: Tensor, turn: tuple[Tensor, Tensor], stacks: Sequence[Stack]) -> Tensor:
        """x: [N, D]; turn: cosine and sine of the positions' angles, [N, S]. Returns [N, D]."""
        return LayerFunction.apply(x, self, turn, stacks, *self.trained())  # type: ignore[no-any-return,no-untyped-call]


class LayerFunction(torch.autograd.Function):
    """The layer's arithmetic and its gradient with respect to its input and what is trained."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, layer: Layer, turn: tuple[Tensor, Tensor], stacks: Sequence[Stack], *trained: Tensor
    ) -> Tensor:
        out, kept, shares = computed(x, layer, turn, stacks)
        ctx.layer, ctx.turn, ctx.stacks = layer, turn, stacks
        ctx.save_for_backward(x, *([] if layer.checkpointed else [*kept, *shares]))
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        layer: Layer = ctx.layer
        heads = layer.heads
        x, *kept = ctx.saved_tensors
        if layer.checkpointed:
            _, kept, shares = computed(x, layer, ctx.turn, ctx.stacks)
        else:
            kept, shares = kept[:KEPT], kept[KEPT:]
        one_over_rms, query, key, value, attended, between, one_over_rms_2, wide, opened, *inner = kept
        to_out = gradients[0]
        to_act, to_4 = layer.out_of_feed_forward.backward(to_out, opened * wide.chunk(2, 1)[1], inner[3])
        normed = scaled(between, one_over_rms_2)
        to_normed, to_3 = layer.into_feed_forward.backward(
            gated_backward(to_act, wide, opened), normed * layer.feed_forward_norm, inner[2]
        )
        to_between = to_out + rms_norm_backward(to_normed, normed, layer.feed_forward_norm, one_over_rms_2)
        to_norms = [to_norm_weight(to_normed, normed)] if layer.trained_norms else []
        to_attended, to_2 = layer.out_of_attention.backward(to_between, attended, inner[1])
        to_query, to_key, to_value = attend_backward(
            to_attended, query, key, value, heads.queries, heads.keys, heads.scale, ctx.stacks, shares
        )
        to_mixed = torch.cat([rotate_back(torch.cat([to_query, to_key], 1), ctx.turn), to_value], 1)
        normed = scaled(x, one_over_rms)
        to_normed, to_1 = layer.into_attention.backward(
            to_mixed, normed * layer.attention_norm, inner[0], ctx.needs_input_grad[0] or bool(to_norms)
        )
        if to_norms:
            to_norms.insert(0, to_norm_weight(to_normed, normed))
        to_x = None
        if ctx.needs_input_grad[0]:
            to_x = to_between + rms_norm_backward(to_normed, normed, layer.attention_norm, one_over_rms)
        return to_x, None, None, None, *to_1, *to_2, *to_3, *to_4, *to_norms


#: How many tensors `computed` keeps besides the attention shares.
KEPT = 13


def computed(
    x: Tensor, layer: Layer, turn: tuple[Tensor, Tensor], stacks: Sequence[Stack]
) -> tuple[Tensor, list[Tensor], Sequence[Tensor | None]]:
    """The layer's output [N, D], what its gradient needs, and the attention shares of each stack."""
    heads = layer.heads
    normed, one_over_rms = rms_norm(x, layer.attention_norm, layer.epsilon)
    mixed, inner_1 = layer.into_attention.forward(normed)  # [N, (H + 2G) S]
    turned, key, value = rotated(mixed, heads, turn)
    attended, shares = attend(turned, key, value, heads.queries, heads.keys, heads.scale, stacks)
    between, inner_2 = layer.out_of_attention.forward(attended, x)  # [N, D]
    normed, one_over_rms_2 = rms_norm(between, layer.feed_forward_norm, layer.epsilon)
    wide, inner_3 = layer.into_feed_forward.forward(normed)  # [N, 2F]
    opened = torch.nn.functional.silu(wide.chunk(2, 1)[0])
    out, inner_4 = layer.out_of_feed_forward.forward(opened * wide.chunk(2, 1)[1], between)
    kept = [one_over_rms, turned, key, value, attended, between, one_over_rms_2, wide, opened]
    return out, [*kept, inner_1, inner_2, inner_3, inner_4], shares


def rms_norm(x: Tensor, weight: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """x / rms(x) * weight, and 1 / rms(x) [N, 1] in at least float32 (Zhang and Sennrich, arXiv 1910.07467)."""
    wide = x if x.dtype == torch.float64 else x.float()
    one_over_rms = torch.linalg.vector_norm(wide, dim=1, keepdim=True).square_()
    one_over_rms.mul_(1 / x.shape[1]).add_(epsilon).rsqrt_()
    return (wide * one_over_rms).to(x.dtype) * weight, one_over_rms


def scaled(x: Tensor, one_over_rms: Tensor) -> Tensor:
    """x / rms(x) in x's dtype."""
    return (x * one_over_rms).to(x.dtype)


def rms_norm_backward(gradient: Tensor, normed: Tensor, weight: Tensor, one_over_rms: Tensor) -> Tensor:
    """With n = x / rms(x): dx = (dn - n * mean(dn * n)) / rms(x), where dn = gradient * weight."""
    wide = (gradient * weight).to(one_over_rms.dtype)
    n = normed.to(one_over_rms.dtype)
    along = (wide * n).mean(1, keepdim=True)
    return wide.addcmul_(n, along, value=-1).mul_(one_over_rms).to(gradient.dtype)


def to_norm_weight(gradient: Tensor, normed: Tensor) -> Tensor:
    """With y = n * weight: dweight = the sum over nodes of dy n, in at least float32."""
    return (gradient * normed).sum(0, dtype=torch.promote_types(normed.dtype, torch.float32))


def rotated(mixed: Tensor, heads: Heads, turn: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Queries and keys at their positions, and values, out of the product that makes them together."""
    both = (heads.queries + heads.keys) * heads.size
    turned = rotate(mixed[:, :both], turn)
    return turned[:, : heads.queries * heads.size], turned[:, heads.queries * heads.size :], mixed[:, both:]


def rotate(x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """Rotary positions (Su et al., arXiv 2104.09864) for heads laid side by side: x [N, H S], turn [N, S] each."""
    cosine, sine = turn
    size = cosine.shape[1]
    heads = x.reshape(x.shape[0], -1, 2, size // 2)
    cosine, sine = cosine[:, None, : size // 2], sine[:, None, : size // 2]
    left, right = heads[:, :, 0], heads[:, :, 1]
    out = torch.empty_like(heads, memory_format=torch.contiguous_format)
    torch.mul(left, cosine, out=out[:, :, 0]).addcmul_(right, sine, value=-1)
    torch.mul(right, cosine, out=out[:, :, 1]).addcmul_(left, sine)
    return out.view(x.shape[0], -1)


def rotate_back(gradient: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """The transpose of a rotation is the rotation by the opposite angle."""
    return rotate(gradient, (turn[0], -turn[1]))


def gated_backward(gradient: Tensor, wide: Tensor, opened: Tensor) -> Tensor:
    """The gradient of silu(gate) * up (Shazeer, arXiv 2002.05202), gate and up side by side, [N, 2F].

    With s = sigmoid(gate): dgate = g up s (1 + gate (1 - s)), dup = g gate s. ``opened`` is silu(gate) = gate s.
    """
    gate, up = wide.chunk(2, 1)
    out = torch.empty_like(wide)
    to_gate, to_up = out.chunk(2, 1)
    torch.mul(gradient, opened, out=to_up)
    to_gate.copy_(torch.ops.aten.silu_backward(gradient * up, gate))
    return out


def layers_of(decoder: Any, dtype: torch.dtype = torch.float32) -> list[Layer] | None:
    """The layers of a decoder, or None where one is not of the form that is computed here.

    They are wrapped by peft, with frozen weights, or trained whole: then ``dtype`` is that of the products.
    """
    layers = getattr(decoder, "layers", None)
    if not layers:
        return None
    found = [_layer(module, dtype) for module in layers]
    whole = [layer for layer in found if layer is not None]
    return whole if len(whole) == len(found) else None


def _layer(module: Any, dtype: torch.dtype) -> Layer | None:
    expected = {"self_attn", "mlp", "input_layernorm", "post_attention_layernorm"}
    if {name for name, _ in module.named_children()} != expected:
        return None
    attention, mlp = module.self_attn, module.mlp
    if {name for name, _ in attention.named_children()} != {"q_proj", "k_proj", "v_proj", "o_proj"}:
        return None
    if {name for name, _ in mlp.named_children()} != {"gate_proj", "up_proj", "down_proj", "act_fn"}:
        return None
    if mlp.act_fn(torch.tensor(1.5)).item() != torch.nn.functional.silu(torch.tensor(1.5)).item():
        return None
    norms = [module.input_layernorm, module.post_attention_layernorm]
    whole = all(norm.weight.requires_grad for norm in norms)
    if not all(hasattr(norm, "variance_epsilon") and norm.weight.requires_grad == whole for norm in norms):
        return None
    if getattr(attention, "sliding_window", None) or getattr(attention, "attention_dropout", 0.0):
        return None
    join = partial(trained_projection_of, dtype=dtype) if whole else projection_of
    into_attention = join([attention.q_proj, attention.k_proj, attention.v_proj])
    out_of_attention = join([attention.o_proj])
    into_feed_forward = join([mlp.gate_proj, mlp.up_proj])
    out_of_feed_forward = join([mlp.down_proj])
    if not (into_attention and out_of_attention and into_feed_forward and out_of_feed_forward):
        return None
    size = attention.head_dim
    heads = Heads(into_attention.sizes[0] // size, into_attention.sizes[1] // size, size, attention.scaling)
    return Layer(
        into_attention=into_attention,
        out_of_attention=out_of_attention,
        into_feed_forward=into_feed_forward,
        out_of_feed_forward=out_of_feed_forward,
        attention_norm=norms[0].weight,
        feed_forward_norm=norms[1].weight,
        epsilon=norms[0].variance_epsilon,
        heads=heads,
        trained_norms=tuple(norm.weight for norm in norms) if whole else (),
    )


def hidden_states(decoder: Any, layers: Sequence[Layer], tokens: Tensor, positions: Tensor, stacks: Any) -> Tensor:
    """The decoder's last hidden states, [N, D], for tokens and positions [N]."""
    x: Tensor = decoder.embed_tokens(tokens).to(layers[0].dtype)
    cosine, sine = decoder.rotary_emb(x[None], positions[None])
    turn = (cosine[0], sine[0])
    for layer in layers:
        x = layer(x, turn, stacks)
    normed: Tensor = decoder.norm(x)
    return normed
