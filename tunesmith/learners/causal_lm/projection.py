"""Frozen projections that share an input, multiplied together, each with its low-rank adapter.

LoRA (Hu et al., arXiv 2106.09685) adds ``scale * B A`` to a frozen weight W. All is computed in the
dtype of the activations; A and B, their gradients and the optimizer stay in float32.

Shapes: N nodes, I inputs, O outputs of all projections together, R rank, P projections.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Projection:
    """``weight``: [O, I]; ``sizes``: outputs of each; ``adapters``: A [R, I] and B [O_p, R] of each in turn.

    ``down`` is every A, one below the other, [P R, I], and ``ups`` the scaled B of each, in the dtype of the
    activations: see `ready`.
    """

    weight: Tensor
    sizes: tuple[int, ...]
    adapters: tuple[Tensor, ...]
    scales: tuple[float, ...]
    down: Tensor | None = None
    ups: tuple[Tensor, ...] = ()

    @property
    def trained(self) -> tuple[Tensor, ...]:
        """What training changes here."""
        return self.adapters

    def ready(self) -> Projection:
        """This projection with its adapters as they are now cast once, for all trees of a step."""
        if not self.adapters:
            return self
        dtype = self.weight.dtype
        down = torch.cat([a.detach() for a in self.adapters[::2]]).to(dtype)
        ups = [(b.detach() * scale).to(dtype) for b, scale in zip(self.adapters[1::2], self.scales, strict=True)]
        return replace(self, down=down, ups=tuple(ups))

    def forward(self, x: Tensor, residual: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """``residual + x W' + scale (x A') B'`` [N, O], and ``x A'`` [N, P R] to be kept."""
        inner = x[:, :0] if self.down is None else x @ self.down.T
        out = x @ self.weight.T if residual is None else torch.addmm(residual, x, self.weight.T)
        for part, b, hidden in self._parts(out, inner):
            part.addmm_(hidden, b.T)
        return out, inner

    def backward(
        self, gradient: Tensor, x: Tensor, inner: Tensor, needs_input: bool = True
    ) -> tuple[Any, list[Tensor]]:
        """The gradient of the input (None when not needed) and of each A and B, in float32."""
        to_inner = torch.empty_like(inner)
        to_b = []
        places = zip(self._parts(gradient, inner), self._cut(to_inner), self.scales, strict=True)
        for (part, b, hidden), to_hidden, scale in places:
            torch.mm(part, b, out=to_hidden)
            to_b.append((part.T @ hidden).to(self.adapters[1].dtype).mul_(scale))
        to_a = self._cut((to_inner.T @ x).to(self.adapters[0].dtype), 0)
        to_x = None
        if needs_input and self.down is not None:
            to_x = (gradient @ self.weight).addmm_(to_inner, self.down)
        return to_x, [tensor for pair in zip(to_a, to_b, strict=True) for tensor in pair]

    def without_adapters(self) -> Projection:
        """The frozen weights alone, for computing without a gradient."""
        return replace(self, adapters=(), scales=(), down=None, ups=())

    def _parts(self, outputs: Tensor, inner: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
        """For each projection: its columns of ``outputs``, its scaled B, its columns of ``inner``."""
        if not self.ups:
            return []
        return list(zip(outputs.split_with_sizes(self.sizes, 1), self.ups, self._cut(inner), strict=True))

    def _cut(self, inner: Tensor, dim: int = 1) -> tuple[Tensor, ...]:
        return inner.split_with_sizes([a.shape[0] for a in self.adapters[::2]], dim)


def projection_of(layers: Sequence[Any]) -> Projection | None:
    """Plain LoRA layers of peft that share an input as one projection; None where one is not plain.

    Their frozen weights become views of the joined one, so that memory does not grow.
    """
    from peft.tuners.lora import Linear

    for layer in layers:
        if not isinstance(layer, Linear) or layer.base_layer.bias is not None or layer.lora_variant:
            return None
        if not isinstance(layer.lora_dropout["default"], torch.nn.Identity):
            return None
    sizes = tuple(layer.base_layer.weight.shape[0] for layer in layers)
    weight = layers[0].base_layer.weight.data
    if len(layers) > 1:
        weight = torch.cat([layer.base_layer.weight.data for layer in layers])
        for layer, part in zip(layers, weight.split_with_sizes(sizes), strict=True):
            layer.base_layer.weight.data = part
    adapters = [
        tensor for layer in layers for tensor in (layer.lora_A["default"].weight, layer.lora_B["default"].weight)
    ]
    return Projection(weight, sizes, tuple(adapters), tuple(float(layer.scaling["default"]) for layer in layers))
