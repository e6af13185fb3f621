"""An encoder layer over packed rows in one piece, all its weights trained.

Autograd would keep and replay some forty small operations a layer, on rows padded to the longest. Here a layer is one
function with its gradient written out: tokens of all rows lie side by side, queries, keys and values are
multiplied together, and of the last layer the first token of each row alone is computed, which is all that a
classifier's head reads.

For the layer of the BERT family (arXiv 1810.04805: LayerNorm after the residual, GELU, absolute positions) without
dropout; `layers_of` says None for any other, and these run through transformers' own code.

Shapes: N tokens, M tokens that a layer gives (N, or the first ones), D hidden size, F inner size of the feed-forward
part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from tunesmith.learners.classifier.packed_attention import Heads, attend, attend_backward
from tunesmith.learners.classifier.packed_rows import PackedRows, Stack
from tunesmith.learners.fast_linear import fast_projections
from tunesmith.learners.trained_projection import TrainedProjection, trained_projection_of

#: The projections of a layer.
PARTS = ("into_attention", "out_of_attention", "into_feed_forward", "out_of_feed_forward")


@dataclass(frozen=True)
class Norm:
    """A LayerNorm (Ba et al., arXiv 1607.06450): ``weight`` and ``bias`` [D], trained and used as they are."""

    weight: Tensor
    bias: Tensor
    epsilon: float

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The output [M, D], and for the gradient mean and 1 / standard deviation [M, 1] in at least float32."""
        out, mean, rstd = torch.native_layer_norm(
            x, x.shape[-1:], self.weight.detach(), self.bias.detach(), self.epsilon
        )
        return out, mean, rstd

    def backward(self, gradient: Tensor, x: Tensor, mean: Tensor, rstd: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The gradient of the input, and of weight and bias."""
        to_x, to_weight, to_bias = torch.ops.aten.native_layer_norm_backward(
            gradient, x, x.shape[-1:], mean, rstd, self.weight.detach(), self.bias.detach(), [True, True, True]
        )
        return to_x, [to_weight, to_bias]


@dataclass(frozen=True)
class Layer:
    """One encoder layer's weights.

    ``checkpointed``: for the gradient its input alone is kept and the layer computed again (activation
    checkpointing; Chen et al., arXiv 1604.06174).
    """

    into_attention: TrainedProjection
    out_of_attention: TrainedProjection
    into_feed_forward: TrainedProjection
    out_of_feed_forward: TrainedProjection
    attention_norm: Norm
    feed_forward_norm: Norm
    heads: Heads
    checkpointed: bool = False

    @property
    def dtype(self) -> torch.dtype:
        """What activations and products are in."""
        return self.into_attention.dtype

    def trained(self) -> list[Tensor]:
        """What training changes, in the order of the gradients."""
        norms = (self.attention_norm, self.feed_forward_norm)
        parts = [tensor for part in PARTS for tensor in getattr(self, part).trained]
        return [*parts, *(tensor for norm in norms for tensor in (norm.weight, norm.bias))]

    def ready(self) -> Layer:
        """The layer with what is trained as it is now, cast once: what `__call__` needs."""
        return replace(self, **{part: getattr(self, part).ready() for part in PARTS})

    def in_dtype(self, dtype: torch.dtype) -> Layer:
        """The layer with its products in this dtype."""
        return replace(self, **{part: replace(getattr(self, part), dtype=dtype) for part in PARTS})

    def to_predict(self) -> Layer:
        """The layer with faster products in float32, where these pay: it can then predict, and nothing else."""
        parts: list[TrainedProjection] = [getattr(self, part) for part in PARTS]
        fast = fast_projections([(part.joined.detach(), part.joined_bias) for part in parts])
        if fast is None:
            return self
        in_place: dict[str, Any] = dict(zip(PARTS, fast, strict=True))
        return replace(self, **in_place)

    def __call__(self, x: Tensor, stacks: Sequence[Stack], only_firsts: bool = False) -> Tensor:
        """x: [N, D]. Returns [M, D]."""
        if not torch.is_grad_enabled():
            return computed(x, self, stacks, only_firsts)[0]
        return LayerFunction.apply(x, self, stacks, only_firsts, *self.trained())  # type: ignore[no-any-return,no-untyped-call]


class LayerFunction(torch.autograd.Function):
    """The layer's arithmetic and its gradient with respect to its input and what is trained."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, layer: Layer, stacks: Sequence[Stack], only_firsts: bool, *trained: Tensor
    ) -> Tensor:
        out, kept = computed(x, layer, stacks, only_firsts)
        ctx.layer, ctx.stacks, ctx.only_firsts = layer, stacks, only_firsts
        ctx.save_for_backward(x, *([] if layer.checkpointed else kept))
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        layer: Layer = ctx.layer
        stacks: Sequence[Stack] = ctx.stacks
        x, *kept = ctx.saved_tensors
        if layer.checkpointed:
            _, kept = computed(x, layer, stacks, ctx.only_firsts)
        attended, first_sum, first_mean, first_rstd, normed, wide, opened, second_sum, mean, rstd, *more = kept
        split, shares = more[: len(stacks)], more[len(stacks) :]
        none = x[:, :0]
        to_sum, to_second_norm = layer.feed_forward_norm.backward(gradients[0], second_sum, mean, rstd)
        to_opened, to_4 = layer.out_of_feed_forward.backward(to_sum, opened, none)
        to_wide = torch.ops.aten.gelu_backward(to_opened, wide)
        to_normed, to_3 = layer.into_feed_forward.backward(to_wide, normed, none)
        to_first_sum, to_first_norm = layer.attention_norm.backward(
            to_normed.add_(to_sum), first_sum, first_mean, first_rstd
        )
        to_attended, to_2 = layer.out_of_attention.backward(to_first_sum, attended, none)
        to_mixed = attend_backward(to_attended, layer.heads, stacks, split, shares)
        to_x, to_1 = layer.into_attention.backward(to_mixed, x, none, ctx.needs_input_grad[0])
        if to_x is not None:
            add_firsts(to_x, to_first_sum, stacks) if ctx.only_firsts else to_x.add_(to_first_sum)
        return to_x, None, None, None, *to_1, *to_2, *to_3, *to_4, *to_first_norm, *to_second_norm


def computed(x: Tensor, layer: Layer, stacks: Sequence[Stack], only_firsts: bool) -> tuple[Tensor, list[Tensor]]:
    """The layer's output [M, D], and what its gradient needs."""
    mixed, _ = layer.into_attention.forward(x)  # [N, 3D]
    attended, split, shares = attend(mixed, layer.heads, stacks, only_firsts)  # [M, D]
    first_sum, _ = layer.out_of_attention.forward(attended, firsts_of(x, stacks) if only_firsts else x)
    normed, first_mean, first_rstd = layer.attention_norm.forward(first_sum)
    wide, _ = layer.into_feed_forward.forward(normed)  # [M, F]
    opened = torch.nn.functional.gelu(wide)
    second_sum, _ = layer.out_of_feed_forward.forward(opened, normed)
    out, mean, rstd = layer.feed_forward_norm.forward(second_sum)
    kept = [attended, first_sum, first_mean, first_rstd, normed, wide, opened, second_sum, mean, rstd]
    return out, [*kept, *split, *shares]


def firsts_of(x: Tensor, stacks: Sequence[Stack]) -> Tensor:
    """The first tokens of each bin, of [N, D]."""
    return torch.cat([_firsts(x, stack).reshape(-1, x.shape[1]) for stack in stacks])


def add_firsts(x: Tensor, firsts: Tensor, stacks: Sequence[Stack]) -> None:
    """Add to the first tokens of each bin, in place: the transpose of `firsts_of`."""
    start = 0
    for stack in stacks:
        part = _firsts(x, stack)
        end = start + stack.count * stack.firsts
        part.add_(firsts[start:end].view(part.shape))
        start = end


def _firsts(x: Tensor, stack: Stack) -> Tensor:
    """[B, firsts, D], a view."""
    return x[stack.start : stack.end].view(stack.count, stack.size, -1)[:, : stack.firsts]


def first_states(encoder: Any, layers: Sequence[Layer], rows: PackedRows) -> Tensor:
    """The last hidden state of each row's first token, [R, D]."""
    embedded = encoder.embeddings(input_ids=rows.tokens[None], position_ids=rows.positions[None])[0]  # (N, D)
    x: Tensor = embedded.to(layers[0].dtype)
    for layer in layers[:-1]:
        x = layer(x, rows.stacks)
    return layers[-1](x, rows.stacks, only_firsts=True).index_select(0, rows.firsts)


def layers_of(encoder: Any, dtype: torch.dtype) -> list[Layer] | None:
    """The layers of an encoder with their products in ``dtype``, or None where one is not of the form that is
    computed here."""
    layers = getattr(getattr(encoder, "encoder", None), "layer", None)
    if not layers or getattr(encoder.config, "is_decoder", False) or dropout_of(encoder.embeddings):
        return None
    found = [_layer(module, dtype) for module in layers]
    whole = [layer for layer in found if layer is not None]
    return whole if len(whole) == len(found) else None


def dropout_of(module: nn.Module) -> float:
    """The largest share that a module drops out somewhere."""
    return max((part.p for part in module.modules() if isinstance(part, nn.Dropout)), default=0.0)


#: The parts that a layer has, by where they are.
FORM = {
    "": {"attention", "intermediate", "output"},
    "attention": {"self", "output"},
    "attention.self": {"query", "key", "value", "dropout"},
    "attention.output": {"dense", "LayerNorm", "dropout"},
    "output": {"dense", "LayerNorm", "dropout"},
}


def _layer(module: Any, dtype: torch.dtype) -> Layer | None:
    try:
        found = {place: {name for name, _ in module.get_submodule(place).named_children()} for place in FORM}
    except AttributeError:
        return None
    if found != FORM or dropout_of(module):
        return None
    attention, inner = module.attention.self, module.intermediate
    one = torch.tensor(1.5)
    if inner.intermediate_act_fn(one).item() != nn.functional.gelu(one).item():
        return None
    mix = [attention.query, attention.key, attention.value]
    into_attention = trained_projection_of(mix, dtype, biased=True)
    out_of_attention, into_feed_forward, out_of_feed_forward = (
        trained_projection_of([linear], dtype, biased=True)
        for linear in (module.attention.output.dense, inner.dense, module.output.dense)
    )
    attention_norm, feed_forward_norm = _norm(module.attention.output.LayerNorm), _norm(module.output.LayerNorm)
    if not (into_attention and out_of_attention and into_feed_forward and out_of_feed_forward):
        return None
    if not (attention_norm and feed_forward_norm):
        return None
    return Layer(
        into_attention=into_attention,
        out_of_attention=out_of_attention,
        into_feed_forward=into_feed_forward,
        out_of_feed_forward=out_of_feed_forward,
        attention_norm=attention_norm,
        feed_forward_norm=feed_forward_norm,
        heads=Heads(attention.num_attention_heads, attention.attention_head_size, attention.attention_head_size**-0.5),
    )


def _norm(module: Any) -> Norm | None:
    if type(module) is not nn.LayerNorm or not all(parameter.requires_grad for parameter in module.parameters()):
        return None
    return Norm(module.weight, module.bias, module.eps)
