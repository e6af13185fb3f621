"""Projections that share an input, multiplied together, all of whose weights are trained.

The same face as a frozen one with adapters (projection.py). The weights stay in float32 with their gradients and
the optimizer; products are taken in the dtype of the activations, from a copy that is cast once a step.

Shapes: N nodes, I inputs, O outputs of all projections together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class TrainedProjection:
    """``trained``: the weight of each, [O_p, I], views of ``joined`` [O, I]; ``weight``: these in ``dtype``."""

    trained: tuple[Tensor, ...]
    joined: Tensor
    dtype: torch.dtype
    weight: Tensor

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(len(weight) for weight in self.trained)

    def ready(self) -> TrainedProjection:
        """This projection with its weights as they are now, cast once for all trees of a step."""
        return replace(self, weight=self.joined.to(self.dtype))

    def forward(self, x: Tensor, residual: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """``residual + x W'`` [N, O], and nothing to be kept [N, 0]."""
        out = x @ self.weight.T if residual is None else torch.addmm(residual, x, self.weight.T)
        return out, x[:, :0]

    def backward(
        self, gradient: Tensor, x: Tensor, inner: Tensor, needs_input: bool = True
    ) -> tuple[Any, list[Tensor]]:
        """The gradient of the input (None when not needed) and of each weight: dx = g W, dW = g' x."""
        to_weight = (gradient.T @ x).to(self.joined.dtype)
        return gradient @ self.weight if needs_input else None, list(to_weight.split_with_sizes(self.sizes))

    def without_adapters(self) -> TrainedProjection:
        """Itself: there is no model without what was trained."""
        return self


def trained_projection_of(layers: Sequence[Any], dtype: torch.dtype) -> TrainedProjection | None:
    """Plain linear layers that share an input as one projection; None where one is not plain or is not trained.

    Their weights become views of the joined one, so that memory does not grow.
    """
    for layer in layers:
        if type(layer) is not torch.nn.Linear or layer.bias is not None or not layer.weight.requires_grad:
            return None
    weights = [layer.weight for layer in layers]
    joined = weights[0].data
    if len(weights) > 1:
        joined = torch.cat([weight.data for weight in weights])
        for weight, part in zip(weights, joined.split_with_sizes([len(one) for one in weights]), strict=True):
            weight.data = part
    return TrainedProjection(tuple(weights), joined, dtype, joined)
