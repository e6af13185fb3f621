"""Several tests at once: with twenty of them, one in twenty alarms is false."""

from __future__ import annotations

from collections.abc import Sequence


def holm(ps: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the order of ``ps``: below 0.05, the chance of any false alarm among all is below 5%.

    The smallest p is multiplied by the number of tests, the next by one less, and none may be smaller than one before
    it: S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979).
    """
    order = sorted(range(len(ps)), key=lambda place: ps[place])
    adjusted = [1.0] * len(ps)
    highest = 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(ps) - rank) * ps[place]))
        adjusted[place] = highest
    return adjusted
