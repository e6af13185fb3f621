"""Gradients of one batch are found apart and added up, so that batches can be computed side by side."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


def add_gradients(parameters: Sequence[nn.Parameter], found: Sequence[Tensor | None]) -> None:
    """Add each found gradient to its parameter's; None where a batch does not depend on it."""
    for parameter, gradient in zip(parameters, found, strict=True):
        if gradient is not None:
            parameter.grad = gradient if parameter.grad is None else parameter.grad.add_(gradient)
