"""Statistic: a number that is computed from test rows and can be computed again from resampled ones.

Weights are how often each row was drawn: float64 ``[draws, rows]``. So the mean of a metric, macro-F1
and the difference of two models share one bootstrap.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

#: Index of an answer that is none of the labels.
NO_LABEL = -1
_ROWS_AT_ONCE = 4096


class Statistic(Protocol):
    """``bounds`` are the smallest and largest possible value (the largest may be infinite)."""

    @property
    def rows(self) -> int: ...

    @property
    def bounds(self) -> tuple[float, float]: ...

    def estimate(self) -> float:
        """The value on the rows as they are."""
        ...

    def resampled(self, weights: FloatArray) -> FloatArray:
        """The value on each draw, float64 ``[draws]``."""
        ...

    def leave_one_out(self) -> FloatArray:
        """The value without each row in turn, float64 ``[rows]``; needs at least two rows."""
        ...


@dataclass(frozen=True, eq=False)
class Mean:
    """The mean of one value a row, float64 ``[rows]``."""

    values: FloatArray
    bounds: tuple[float, float] = (0.0, 1.0)

    @property
    def rows(self) -> int:
        return len(self.values)

    @property
    def binary(self) -> bool:
        """True when every value is 0 or 1, so that the mean is a proportion."""
        return bool(np.isin(self.values, (0.0, 1.0)).all())

    def estimate(self) -> float:
        return float(self.values.mean())

    def resampled(self, weights: FloatArray) -> FloatArray:
        means: FloatArray = (weights @ self.values) / weights.sum(axis=1)
        return means

    def leave_one_out(self) -> FloatArray:
        means: FloatArray = (self.values.sum() - self.values) / (self.rows - 1)
        return means


@dataclass(frozen=True, eq=False)
class MacroF1:
    """The mean of the labels' F1: every label counts the same, however rare.

    ``references`` and ``answers`` are int64 ``[rows]``, indices of labels; an answer may be NO_LABEL.
    Averaged over the labels that occur among the references or answers, as scikit-learn's
    ``f1_score(average="macro")`` does. https://scikit-learn.org/stable/modules/model_evaluation.html
    """

    references: IntArray
    answers: IntArray
    labels: int
    bounds: tuple[float, float] = (0.0, 1.0)

    @property
    def rows(self) -> int:
        return len(self.references)

    @cached_property
    def _indicators(self) -> tuple[Any, Any, Any]:
        """Sparse ``[rows, labels]``: right answers, answers, references."""
        right = np.where(self.answers == self.references, self.references, NO_LABEL)
        return tuple(self._one_hot(which) for which in (right, self.answers, self.references))  # type: ignore[return-value]

    def _one_hot(self, which: IntArray) -> Any:
        from scipy import sparse

        rows = np.flatnonzero(which != NO_LABEL)
        cells = (np.ones(len(rows)), (rows, which[rows]))
        return sparse.csr_array(cells, shape=(self.rows, self.labels))

    def estimate(self) -> float:
        return float(self.resampled(np.ones((1, self.rows)))[0])

    def resampled(self, weights: FloatArray) -> FloatArray:
        return _macro_f1(*(weights @ indicator for indicator in self._indicators))

    def leave_one_out(self) -> FloatArray:
        totals = [np.asarray(indicator.sum(axis=0)) for indicator in self._indicators]
        parts = []
        for start in range(0, self.rows, _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            without = [
                total - indicator[rows].toarray() for total, indicator in zip(totals, self._indicators, strict=True)
            ]
            parts.append(_macro_f1(*without))
        return np.concatenate(parts)


def _macro_f1(right: FloatArray, answered: FloatArray, due: FloatArray) -> FloatArray:
    """F1 of a label is 2·right / (answered + due). All inputs ``[draws, labels]``; returns ``[draws]``."""
    occurrences = answered + due
    occurs = occurrences > 0
    f1 = np.divide(2 * right, occurrences, out=np.zeros_like(occurrences), where=occurs)
    mean: FloatArray = f1.sum(axis=1) / np.maximum(1, occurs.sum(axis=1))
    return mean


@dataclass(frozen=True, eq=False)
class Minus:
    """One statistic minus another, both on the same rows: rows are drawn in pairs."""

    left: Statistic
    right: Statistic

    @property
    def rows(self) -> int:
        return self.left.rows

    @property
    def bounds(self) -> tuple[float, float]:
        return self.left.bounds[0] - self.right.bounds[1], self.left.bounds[1] - self.right.bounds[0]

    def estimate(self) -> float:
        return self.left.estimate() - self.right.estimate()

    def resampled(self, weights: FloatArray) -> FloatArray:
        return self.left.resampled(weights) - self.right.resampled(weights)

    def leave_one_out(self) -> FloatArray:
        return self.left.leave_one_out() - self.right.leave_one_out()
