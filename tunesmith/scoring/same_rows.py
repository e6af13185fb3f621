"""Tests of several models on the same rows: which rows two of them share, and each one's score there."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from tunesmith.example_parquet import read_rows
from tunesmith.scoring.paired import Difference, difference
from tunesmith.scoring.statistic import Mean

Key = TypeVar("Key", bound=Hashable)
_TUNED = "tuned"


@dataclass(frozen=True)
class TestedRow:
    """A test row and the tuned model's answer to it; ``score`` of this row, 0 to 1."""

    __test__ = False  # not a pytest class

    id: str
    input: str
    reference: str
    answer: str
    score: float


@dataclass(frozen=True)
class Tested:
    """A test's rows by id; ``metric`` is that of their scores."""

    __test__ = False  # not a pytest class

    metric: str
    resamples: int
    rows: Mapping[str, TestedRow]


Pairs = list[tuple[TestedRow, TestedRow]]


def read_tested(predictions: Path, metric: str, resamples: int) -> Tested:
    """Read a test's predictions.parquet. Raises InputError ``damaged_artifact``."""
    rows = {}
    for row in read_rows(predictions, ["id", "input", "reference", _TUNED]):
        told = row[_TUNED]
        rows[row["id"]] = TestedRow(row["id"], row["input"], row["reference"], told["answer"], float(told["score"]))
    return Tested(metric, resamples, rows)


def paired(left: Mapping[str, TestedRow], right: Mapping[str, TestedRow]) -> Pairs:
    """The rows that both have tested under the same reference: by id, and where lines have moved by what they say."""
    pairs = [(row, right[id]) for id, row in left.items() if id in right and right[id].reference == row.reference]
    taken = {one.id for one, _ in pairs}, {other.id for _, other in pairs}
    said: dict[tuple[str, str], list[TestedRow]] = {}
    for row in right.values():
        if row.id not in taken[1]:
            said.setdefault((row.input, row.reference), []).append(row)
    for row in left.values():
        if row.id not in taken[0] and (found := said.get((row.input, row.reference))):
            pairs.append((row, found.pop(0)))
    return pairs


def common_rows(tested: Mapping[Key, Tested], newest: Key) -> dict[Key, list[TestedRow]]:
    """For each test the rows that all of them have, in one order; nothing where there are none, or other metrics."""
    ids = set(tested[newest].rows)
    mine: dict[Key, dict[str, TestedRow]] = {}
    for name, other in tested.items():
        if other.metric != tested[newest].metric:
            return {}
        mine[name] = {row.id: theirs for row, theirs in paired(tested[newest].rows, other.rows)}
        ids &= set(mine[name])
    return {name: [rows[id] for id in sorted(ids)] for name, rows in mine.items()} if ids else {}


def mean_of(rows: Sequence[TestedRow]) -> Mean:
    return Mean(np.array([row.score for row in rows], np.float64))


def later_less_earlier(own: Tested, names: tuple[str, str], pairs: Pairs) -> Difference:
    """The later test minus the earlier one, on ``pairs`` of (earlier, later); ``names`` are (later, earlier)."""
    later, earlier = (mean_of([pair[side] for pair in pairs]) for side in (1, 0))
    return difference(own.metric, (names[0], later), (names[1], earlier), resamples=own.resamples)
