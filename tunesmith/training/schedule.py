"""The learning rate by step: a linear rise, then a fall along half a cosine to a tenth."""

from __future__ import annotations

import math

FLOOR = 0.1


def factor(step: int, steps: int, warmup: float) -> float:
    """What the peak learning rate is multiplied by in step ``step`` (from 0) of ``steps``.

    The cosine is that of Loshchilov and Hutter, arXiv 1608.03983, without restarts.
    """
    rising = max(1, round(steps * warmup))
    if step < rising:
        return (step + 1) / rising
    progress = (step - rising) / max(1, steps - rising)
    return FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * progress))
