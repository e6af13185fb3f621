"""Metrics for labels: accuracy and macro-F1."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tunesmith.scoring.statistic import NO_LABEL, IntArray, MacroF1, Mean, Statistic


def measure_labels(
    references: Sequence[str], answers: Sequence[str], labels: Sequence[str] = ()
) -> dict[str, Statistic]:
    """``accuracy`` and ``macro_f1``. An answer that is no label is wrong, whatever it says.

    Case, outer spaces and a full stop at the end are overlooked, so that a chatty base is not
    called wrong for its manners.
    """
    names = list(dict.fromkeys(plain(label) for label in (*labels, *references)))
    index = {name: position for position, name in enumerate(names)}
    due = _indices(references, index)
    given = _indices(answers, index)
    right = (due == given).astype(np.float64)
    return {"accuracy": Mean(right), "macro_f1": MacroF1(due, given, len(names))}


def plain(label: str) -> str:
    """A label as it is compared."""
    return " ".join(label.split()).removesuffix(".").casefold()


def _indices(labels: Sequence[str], index: dict[str, int]) -> IntArray:
    return np.array([index.get(plain(label), NO_LABEL) for label in labels], dtype=np.int64)
