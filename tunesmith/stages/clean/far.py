"""Step `far`: rows that are unlike everything else in the set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tunesmith.similarity.neighbours import Neighbours

CODE = "far"
NEAREST = 5
#: In robust standard deviations below the median (B. Iglewicz, D. Hoaglin, "How to Detect and Handle Outliers", 1993).
FAR_BELOW = 3.5
#: A set of fewer rows has no distribution to be far from.
FEWEST = 50
#: At most this share of the rows, since a person looks at each.
MOST = 0.01


@dataclass(frozen=True)
class Far:
    """A row by its place, the mean cosine to its nearest rows, and what half of all rows have at least."""

    row: int
    closeness: float
    median: float

    @property
    def evidence(self) -> str:
        return (
            f"unlike all other rows: the mean cosine to its {NEAREST} nearest is {self.closeness:.2f}, "
            f"and half of all rows have {self.median:.2f} or more"
        )


def find(neighbours: Neighbours) -> list[Far]:
    """The few rows that lie far below the set's own closeness, the farthest first."""
    if len(neighbours.cosine) < FEWEST:
        return []
    closeness = neighbours.cosine[:, :NEAREST].mean(axis=1).astype(np.float64)
    median = float(np.median(closeness))
    spread = 1.4826 * float(np.median(np.abs(closeness - median)))
    if spread == 0:
        return []
    order = np.argsort(closeness, kind="stable")
    order = order[: max(1, int(MOST * len(closeness)))]
    return [
        Far(int(row), float(closeness[row]), median) for row in order if (median - closeness[row]) / spread >= FAR_BELOW
    ]
