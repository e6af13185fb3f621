"""What a quick classifier says of each row that it was not trained on: evidence of wrong labels and of hard ones."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tunesmith.similarity.embeddings import Vectors
from tunesmith.stages.clean.marks import Bools, Ints

#: Rows are predicted by classifiers that were trained on the other folds.
FOLDS = 5
#: Fewer rows than this tell nothing.
FEWEST_ROWS = 30
#: More rows times labels than this would take many minutes.
MOST_CELLS = 8_000_000
#: The inverse of the regularisation's strength; from 3 to 30 the wrong labels found in Banking77 were about the same.
STRENGTH = 10.0
_ITERATIONS = 100
_TOLERANCE = 1e-3

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class OutOfFold:
    """For ``rows [m]``, those whose value is had by at least `FOLDS` rows: ``labels [m]`` as given (numbers into
    ``names``), ``probabilities [m, names]``, and whether the classifiers of half the rows were right,
    ``right_by_half [m]``."""

    rows: Ints
    names: tuple[str, ...]
    labels: Ints
    probabilities: Floats
    right_by_half: Bools

    def without(self, locked: Bools) -> OutOfFold:
        """The same for the rows that are not ``locked`` (one a row that was looked at)."""
        stay = ~locked[self.rows]
        return replace(
            self,
            rows=self.rows[stay],
            labels=self.labels[stay],
            probabilities=self.probabilities[stay],
            right_by_half=self.right_by_half[stay],
        )

    @property
    def likeliest(self) -> Ints:
        best: Ints = self.probabilities.argmax(axis=1)
        return best

    @property
    def right(self) -> Bools:
        right: Bools = self.likeliest == self.labels
        return right

    @property
    def of_given(self) -> Floats:
        """The probability of each row's own label ``[m]``."""
        return self.probabilities[np.arange(len(self.labels)), self.labels]


def predict(
    vectors: Vectors, values: Sequence[str | None], locked: Bools, step: Callable[[int], None] = lambda done: None
) -> OutOfFold | None:
    """Predict each row's value by logistic regression on the other folds' vectors.

    None where there are too few rows, or `MOST_CELLS` are not enough. ``step`` is told how many folds are done.
    From ``locked`` rows ``[rows]``, those of a given test part, nothing is learned: they are predicted alone.
    Stratified; the same rows give the same predictions.
    """
    learned = Counter(
        value for value, lock in zip(values, locked.tolist(), strict=True) if value is not None and not lock
    )
    names = tuple(sorted(name for name, count in learned.items() if count >= FOLDS))
    number = {name: at for at, name in enumerate(names)}
    rows = np.array([at for at, value in enumerate(values) if value in number], np.int64)
    if len(names) < 2 or int((~locked[rows]).sum()) < FEWEST_ROWS or len(rows) * len(names) > MOST_CELLS:
        return None
    labels = np.array([number[str(values[at])] for at in rows.tolist()], np.int64)
    chosen, free = vectors[rows].astype(np.float32), ~locked[rows]
    probabilities = np.zeros((len(rows), len(names)))
    right_by_half = np.zeros(len(rows), np.bool_)
    fold = folds(labels, free)
    for held in range(FOLDS):
        out, rest = np.flatnonzero(fold == held), np.flatnonzero((fold != held) & free)
        probabilities[out] = _fit_and_predict(chosen[rest], labels[rest], chosen[out], len(names))
        half = rest[_every_other(labels[rest])]
        by_half = _fit_and_predict(chosen[half], labels[half], chosen[out], len(names))
        right_by_half[out] = by_half.argmax(axis=1) == labels[out]
        step(held + 1)
    return OutOfFold(rows, names, labels, probabilities, right_by_half)


def folds(labels: Ints, free: Bools, seed: int = 0) -> Ints:
    """A fold for each row ``[rows]``; the ``free`` rows of each label are spread evenly over all."""
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    order = shuffled[np.lexsort((~free[shuffled], labels[shuffled]))]
    fold = np.empty(len(labels), np.int64)
    fold[order] = np.arange(len(labels)) % FOLDS
    return fold


def _every_other(labels: Ints) -> Ints:
    """Half of the rows, of each label half, at least one."""
    order = np.argsort(labels, kind="stable")
    starts = np.concatenate(([0], np.flatnonzero(np.diff(labels[order])) + 1))
    place = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    return np.sort(order[place % 2 == 0])


def _fit_and_predict(
    trained: npt.NDArray[np.float32], labels: Ints, asked: npt.NDArray[np.float32], size: int
) -> Floats:
    """Probabilities ``[asked, size]``; a label that no trained row has gets 0."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=STRENGTH, max_iter=_ITERATIONS, tol=_TOLERANCE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # what it has after so many steps is good enough
        model.fit(trained, labels)
    found = np.zeros((len(asked), size))
    found[:, model.classes_] = model.predict_proba(asked)
    return found
