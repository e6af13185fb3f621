"""How well texts are foretold, token by token."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tunesmith.scoring.statistic import Mean, Statistic


@dataclass(frozen=True)
class Foretold:
    """One text: ``nats`` is -log of its probability, ``right`` how many of its ``tokens`` were the likeliest."""

    nats: float
    right: int
    tokens: int
    bytes: int


def measure_likelihood(texts: Sequence[Foretold]) -> dict[str, Statistic]:
    """Token accuracy and bits per byte, each the mean over texts.

    Bits per byte are -log2 of a text's probability over its length in bytes (Gao et al., arXiv 2101.00027, section
    3.1). Unlike perplexity they can be compared between tokenizers; token accuracy cannot.
    """
    right = np.array([one.right / max(1, one.tokens) for one in texts])
    bits = np.array([one.nats / math.log(2) / max(1, one.bytes) for one in texts])
    return {"token_accuracy": Mean(right), "bits_per_byte": Mean(bits, bounds=(0.0, math.inf))}
