"""Gradients of one batch are found apart and added up, so that batches can be computed side by side; and what a batch
keeps in memory for its gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn


def add_gradients(parameters: Sequence[nn.Parameter], found: Sequence[Tensor | None]) -> None:
    """Add each found gradient to its parameter's; None where a batch does not depend on it."""
    for parameter, gradient in zip(parameters, found, strict=True):
        if gradient is not None:
            parameter.grad = gradient if parameter.grad is None else parameter.grad.add_(gradient)


def kept_bytes(forward: Callable[[], Any], model: nn.Module) -> int:
    """Bytes of the tensors that ``forward`` keeps for the gradient, each once, the model's own weights aside."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        kept.setdefault(tensor.untyped_storage().data_ptr(), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = forward()
    found = sum(tensor.untyped_storage().nbytes() for place, tensor in kept.items() if place not in weights)
    del result
    return found


def checkpoint_activations(model: Any, on: bool) -> bool:
    """Switch activation checkpointing of transformers' layers on or off; returns whether the model can."""
    if not model.supports_gradient_checkpointing:
        return not on
    # Earlier versions of transformers have the older name alone, later ones warn of it.
    kind = "activation" if hasattr(model, "activation_checkpointing_enable") else "gradient"
    if on:
        getattr(model, f"{kind}_checkpointing_enable")({"use_reentrant": False})
    elif getattr(model, f"is_{kind}_checkpointing"):
        getattr(model, f"{kind}_checkpointing_disable")()
    return True
