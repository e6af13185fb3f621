"""The rows that went worst."""

from __future__ import annotations

from tunesmith.scoring.statistic import FloatArray

_PERFECT = 1.0 - 1e-9


def worst_rows(tuned: FloatArray, base: FloatArray, count: int) -> list[int]:
    """Indices of the worst rows: the lowest tuned score first, then the biggest loss against the base.

    Both are float64 ``[rows]``, 0 to 1. Rows that are right are never among them.
    """
    wrong = [index for index in range(len(tuned)) if tuned[index] < _PERFECT]
    wrong.sort(key=lambda index: (tuned[index], tuned[index] - base[index], index))
    return wrong[:count]
