"""What layers of our own have in common: when they may stand for transformers', and how they multiply."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

#: Largest relative difference of hidden states from transformers' own at which our layers are used, by dtype.
AGREES = {torch.float64: 1e-9, torch.float32: 1e-3, torch.bfloat16: 0.1}


def agree(ours: Tensor, theirs: Tensor, dtype: torch.dtype) -> bool:
    """Whether our hidden states are transformers' own but for the rounding of products in ``dtype``."""
    difference = (ours.double() - theirs.double()).norm() / theirs.double().norm()
    return bool(difference < AGREES[dtype])


@contextmanager
def narrow_products(on: bool) -> Iterator[None]:
    """Let products of float32 matrices take their factors as bfloat16, with float32 sums, in all threads.

    In our layers the only ones are the attention scores', whose factors are bfloat16 numbers: the same
    products at twice the speed.
    """
    products = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    before = products.fp32_precision
    if on:
        products.fp32_precision = "bf16"
    try:
        yield
    finally:
        products.fp32_precision = before
