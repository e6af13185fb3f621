"""Linear layers for prediction in float32 by oneDNN where it is faster than the default product.

torch sends float32 products to MKL, which on processors that are not Intel's leaves half of their
vector units idle. oneDNN does not, on the same float32 arithmetic: only the order of the sums differs.
Both are timed on the model's own layer, and the faster is taken.

Shapes: N nodes, I inputs, O outputs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tunesmith.threads import give_memory_back

#: Rows of the product that is timed: about as many as are decoded together.
ROWS = 32
#: oneDNN must be this much faster, and its results this close (relative), or all stays as it is.
GAIN = 1.2
CLOSE = 1e-4
TRIALS = 7


@torch.no_grad()
def use_fast_linears(model: nn.Module, *, timed: bool = True) -> bool:
    """Switch the float32 linear layers of a model in evaluation over, if that pays. Returns whether it did.

    Without ``timed`` they are switched over wherever oneDNN can do it, so that every run gives the same numbers.
    A layer's own weight is given up, so that memory does not grow; a weight that is used elsewhere too (an
    output head tied to the embeddings) is kept. The model can afterwards predict, and nothing else.
    """
    layers = [layer for layer in model.modules() if type(layer) is nn.Linear and layer.weight.dtype == torch.float32]
    if not layers or not _pays(max(layers, key=_size_within_reason), timed):
        return False
    uses: dict[int, int] = {}
    for module in model.modules():
        for parameter in module.parameters(recurse=False):
            uses[id(parameter)] = uses.get(id(parameter), 0) + 1
    for layer in layers:
        layer.forward = _forward(layer.weight.to_mkldnn(), layer.bias)  # type: ignore[method-assign,assignment]
        if uses[id(layer.weight)] == 1:
            layer.weight = nn.Parameter(torch.empty(0), requires_grad=False)
    give_memory_back()
    return True


def _forward(weight: Tensor, bias: Tensor | None) -> Callable[[Tensor], Tensor]:
    def forward(x: Tensor) -> Tensor:
        product: Tensor = torch.ops.mkldnn._linear_pointwise(x.contiguous(), weight, bias, "none", [], "")
        return product

    return forward


@dataclass(frozen=True)
class FastProjection:
    """A projection that can multiply and nothing else, with the face of a trained one (trained_projection.py).

    ``weight``: [O, I] in oneDNN's layout; ``bias``: [O].
    """

    weight: Tensor
    bias: Tensor | None
    dtype: torch.dtype = torch.float32
    trained: tuple[Tensor, ...] = ()

    def forward(self, x: Tensor, residual: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """``residual + x W' + b`` [N, O], and nothing to be kept [N, 0]."""
        out: Tensor = torch.ops.mkldnn._linear_pointwise(x.contiguous(), self.weight, self.bias, "none", [], "")
        return out if residual is None else out.add_(residual), x[:, :0]


@torch.no_grad()
def fast_projections(weights: Sequence[tuple[Tensor, Tensor | None]]) -> list[FastProjection] | None:
    """Projections by oneDNN of float32 weights [O, I] with their biases [O]; None where that does not pay."""
    weight, bias = max(weights, key=lambda one: one[0].numel())
    timed = nn.Linear(weight.shape[1], weight.shape[0], bias is not None, device="meta")
    timed.weight = nn.Parameter(weight, requires_grad=False)
    if bias is not None:
        timed.bias = nn.Parameter(bias, requires_grad=False)
    if not _pays(timed, True):
        return None
    return [FastProjection(weight.to_mkldnn(), bias) for weight, bias in weights]


def _size_within_reason(layer: nn.Linear) -> int:
    """Output heads are left out of the choice of the layer that is timed: they are few and slow."""
    size = layer.in_features * layer.out_features
    return size if size < 2**24 else 0


def _pays(layer: nn.Linear, timed: bool) -> bool:
    x = torch.linspace(-1, 1, ROWS * layer.in_features).view(ROWS, -1)
    try:
        fast = _forward(layer.weight.to_mkldnn(), layer.bias)
        plain, ours = layer(x), fast(x)
    except (RuntimeError, AttributeError, NotImplementedError):  # another build of torch
        return False
    if not (ours - plain).norm() <= CLOSE * plain.norm():
        return False
    return not timed or _seconds(fast, x) * GAIN < _seconds(layer, x)


def _seconds(function: Callable[[Tensor], Any], x: Tensor) -> float:
    """The least of some times: what the others took more was someone else's."""
    times = []
    for _ in range(TRIALS):
        began = time.perf_counter()
        function(x)
        times.append(time.perf_counter() - began)
    return min(times)
