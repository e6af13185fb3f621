"""The learning rate by step: a linear rise, then a fall, linear to nothing or a cosine to a tenth."""

from __future__ import annotations

import math

#: Where the cosine ends (Hoffmann et al., arXiv 2203.15556, and most who train from scratch since).
COSINE_ENDS = 0.1


def factor(step: int, steps: int, warmup: float, schedule: str = "linear") -> float:
    """What the peak learning rate is multiplied by in step ``step`` (from 0) of ``steps``."""
    rising = max(1, round(steps * warmup))
    if step < rising:
        return (step + 1) / rising
    if schedule == "cosine":
        done = (step - rising + 1) / max(1, steps - rising)
        return COSINE_ENDS + (1 - COSINE_ENDS) * (1 + math.cos(math.pi * done)) / 2
    return (steps - step) / max(1, steps - rising + 1)
