"""Projections that share an input, multiplied together, all of whose weights are trained.

The same face as a frozen one with adapters (causal_lm/projection.py). The weights stay in float32 with their gradients
and the optimizer; products are taken in the dtype of the activations, from a copy that is cast once a step.

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
    """``trained``: the weight of each, [O_p, I], views of ``joined`` [O, I], and after these the bias of each, [O_p],
    views of ``joined_bias`` [O], where they have one; ``weight`` and ``bias``: these in ``dtype``."""

    trained: tuple[Tensor, ...]
    joined: Tensor
    dtype: torch.dtype
    weight: Tensor
    joined_bias: Tensor | None = None
    bias: Tensor | None = None

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(len(weight) for weight in self.trained if weight.ndim == 2)

    def ready(self) -> TrainedProjection:
        """This projection with its weights as they are now, cast once for all batches of a step."""
        bias = None if self.joined_bias is None else self.joined_bias.to(self.dtype)
        return replace(self, weight=self.joined.to(self.dtype), bias=bias)

    def forward(self, x: Tensor, residual: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """``residual + x W' + b`` [N, O], and nothing to be kept [N, 0]."""
        if self.bias is not None:
            out = torch.addmm(self.bias, x, self.weight.T)
            return out if residual is None else out.add_(residual), x[:, :0]
        out = x @ self.weight.T if residual is None else torch.addmm(residual, x, self.weight.T)
        return out, x[:, :0]

    def backward(
        self, gradient: Tensor, x: Tensor, inner: Tensor, needs_input: bool = True
    ) -> tuple[Any, list[Tensor]]:
        """The gradient of the input (None when not needed) and of what is trained: dx = g W, dW = g' x, db = sum g."""
        to_trained = list((gradient.T @ x).to(self.joined.dtype).split_with_sizes(self.sizes))
        if self.bias is not None:
            to_trained += gradient.sum(0).to(self.joined.dtype).split_with_sizes(self.sizes)
        return gradient @ self.weight if needs_input else None, to_trained

    def without_adapters(self) -> TrainedProjection:
        """Itself: there is no model without what was trained."""
        return self


def trained_projection_of(layers: Sequence[Any], dtype: torch.dtype, biased: bool = False) -> TrainedProjection | None:
    """Plain linear layers that share an input as one projection; None where one is not plain or is not trained.

    All have a bias, or none has, as ``biased`` says. Their weights become views of the joined one, so that memory does
    not grow.
    """
    for layer in layers:
        plain = type(layer) is torch.nn.Linear and (layer.bias is not None) == biased
        if not plain or not all(parameter.requires_grad for parameter in layer.parameters()):
            return None
    weights, biases = [layer.weight for layer in layers], [layer.bias for layer in layers if biased]
    joined, joined_bias = joined_storage(weights), joined_storage(biases) if biased else None
    return TrainedProjection((*weights, *biases), joined, dtype, joined, joined_bias, joined_bias)


def joined_storage(parameters: Sequence[torch.nn.Parameter]) -> Tensor:
    """One tensor of the parameters' values, of which they are views from now on."""
    if len(parameters) == 1:
        return parameters[0].data
    joined = torch.cat([parameter.data for parameter in parameters])
    for parameter, part in zip(parameters, joined.split_with_sizes([len(one) for one in parameters]), strict=True):
        parameter.data = part
    return joined
