"""The shape of a fresh Llama of about a wanted size.

Shapes: D hidden size, F inner size of the feed-forward part, V vocabulary.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

#: How far the size may be from the wanted one for the sake of a better proportion of width to depth.
NEAR = 0.1
#: Hidden size over layers: GPT-2 small has 64, and the loss hardly depends on it (arXiv 2001.08361, section 3.1).
PROPORTION = 64
FEWEST_LAYERS, MOST_LAYERS = 2, 64
WIDTHS = (*range(32, 512, 32), *range(512, 8192 + 1, 64))


@dataclass(frozen=True)
class Shape:
    """Sizes of a decoder of the Llama family whose output layer is its embedding."""

    vocabulary: int
    hidden: int
    layers: int

    @property
    def inner(self) -> int:
        """8/3 of the hidden size, so that three matrices hold as many weights as two of 4 D (arXiv 2002.05202)."""
        return 32 * math.ceil(8 * self.hidden / 3 / 32)

    @property
    def heads(self) -> int:
        return self.hidden // (64 if self.hidden >= 512 else 32)

    @property
    def parameters(self) -> int:
        """V D for the embedding; a layer has 4 D² in its attention, 3 D F in its feed-forward part and two norms."""
        layer = 4 * self.hidden**2 + 3 * self.hidden * self.inner + 2 * self.hidden
        return self.vocabulary * self.hidden + self.layers * layer + self.hidden


def shape_for(parameters: int, vocabulary: int) -> Shape:
    """The best proportioned shape of nearly that many parameters, or else the nearest in size."""
    found = [_of_width(width, parameters, vocabulary) for width in WIDTHS]
    near = [shape for shape in found if abs(shape.parameters / parameters - 1) <= NEAR]
    if near:
        return min(near, key=lambda shape: abs(math.log(shape.hidden / shape.layers / PROPORTION)))
    return min(found, key=lambda shape: abs(shape.parameters - parameters))


def _of_width(width: int, parameters: int, vocabulary: int) -> Shape:
    without, one = Shape(vocabulary, width, 0).parameters, Shape(vocabulary, width, 1).parameters
    layers = round((parameters - without) / (one - without))
    return Shape(vocabulary, width, min(MOST_LAYERS, max(FEWEST_LAYERS, layers)))
