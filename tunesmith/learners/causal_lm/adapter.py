"""LoRA's product in one step: the adapter's arithmetic in the dtype of the activations, with no casts of them.

LoRA (Hu et al., arXiv 2106.09685) adds ``scale * B A`` to a frozen weight W. peft computes
``W x`` and ``scale * B (A x)`` apart, with the activations cast to float32 for the second; with a
bfloat16 base these casts cost more than the product. Here both are taken in the activations' dtype
and summed by the matrix product itself; A and B, their gradients and the optimizer stay in float32.

Shapes: N tokens, I inputs, O outputs, R rank.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class LoraProduct(torch.autograd.Function):
    """``x W' + scale * (x A') B'`` for x (N, I), W (O, I), A (R, I), B (O, R)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, a: Tensor, b: Tensor, scale: float) -> Tensor:
        a_cast, b_cast = a.to(x.dtype), (b * scale).to(x.dtype)
        inner = x @ a_cast.T  # (N, R)
        ctx.save_for_backward(x, weight, a_cast, b_cast, inner)
        ctx.scale, ctx.dtype = scale, a.dtype
        return (x @ weight.T).addmm_(inner, b_cast.T)  # (N, O)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, a_cast, b_cast, inner = ctx.saved_tensors
        gradient = gradients[0]  # (N, O)
        to_inner = gradient @ b_cast  # (N, R)
        to_x = (gradient @ weight).addmm_(to_inner, a_cast) if ctx.needs_input_grad[0] else None
        to_a = (to_inner.T @ x).to(ctx.dtype)
        to_b = (gradient.T @ inner).to(ctx.dtype).mul_(ctx.scale)
        return to_x, None, to_a, to_b, None


def fuse(model: Any) -> int:
    """Give every plain LoRA layer of a peft model the product above. Returns how many.

    Layers that have a bias, dropout or a variant (DoRA) keep peft's own arithmetic.
    """
    from peft.tuners.lora import Linear

    fused = 0
    for layer in model.modules():
        if not isinstance(layer, Linear) or layer.base_layer.bias is not None or layer.lora_variant:
            continue
        if not isinstance(layer.lora_dropout["default"], torch.nn.Identity):
            continue
        layer.forward = _forward(layer)
        fused += 1
    return fused


def _forward(layer: Any) -> Any:
    weight = layer.base_layer.weight
    a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    scale = float(layer.scaling["default"])

    def forward(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if layer.disable_adapters:  # the reference of a preference is the base
            return torch.nn.functional.linear(x, weight)
        flat = x.reshape(-1, x.shape[-1])
        product: Tensor = LoraProduct.apply(flat, weight, a, b, scale)  # type: ignore[no-untyped-call]
        return product.view(*x.shape[:-1], -1)

    return forward
