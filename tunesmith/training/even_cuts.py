"""Cut a sequence into runs that are even in cost, as many as keep all workers busy."""

from __future__ import annotations

from collections.abc import Callable

#: Where each run starts when every run takes as much as a budget holds. The larger the budget, the fewer the runs.
Cut = Callable[[int], list[int]]


def even_cuts(cut: Cut, smallest: int, budget: int, workers: int) -> list[int]:
    """Where each run starts, when none costs more than ``budget``, or ``smallest`` where that is more.

    The number of runs is the next multiple of ``workers`` above what the budget asks for, where that can
    be, and the costliest run is as cheap as that number allows, by bisection.
    """
    low, high = smallest, max(budget, smallest)
    wanted = -(-len(cut(high)) // workers) * workers
    while low < high:
        middle = (low + high) // 2
        if len(cut(middle)) <= wanted:
            high = middle
        else:
            low = middle + 1
    return cut(high)
