"""The learning rate by step: a linear rise, then a linear fall to nothing."""

from __future__ import annotations


def factor(step: int, steps: int, warmup: float) -> float:
    """What the peak learning rate is multiplied by in step ``step`` (from 0) of ``steps``."""
    rising = max(1, round(steps * warmup))
    if step < rising:
        return (step + 1) / rising
    return (steps - step) / max(1, steps - rising + 1)
