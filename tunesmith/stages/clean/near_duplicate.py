"""Step `near_duplicate`: rows that say nearly the same become one, or are flagged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tunesmith.example_parquet import read_examples
from tunesmith.products import GoalSheet
from tunesmith.similarity.near_duplicates import groups
from tunesmith.similarity.text_sets import TextSets
from tunesmith.stages.clean.marks import Ints
from tunesmith.stages.clean.row_steps import RowSteps
from tunesmith.stages.clean.verdicts import Verdicts

CODE = "near_duplicate"


@dataclass(frozen=True)
class NearDuplicates:
    """Rows that are nearly the same as one that is better: ``into`` it, with their ``similarity``, by row."""

    into: dict[int, int]
    similarity: dict[int, float]


def evidence(similarity: float, keeper: str) -> str:
    """What a person judges it by. ``keeper``: place and id of the better row."""
    return f"nearly the same as {keeper} (similarity {similarity:.2f})"


def find(source: Path, verdicts: Verdicts, steps: RowSteps, goal: GoalSheet, near: float) -> NearDuplicates:
    """The rows that are kept but for a better one that says nearly the same.

    Labels and JSON answers must be equal, and the inputs alike; where prose comes out, both must be alike. Rows hang
    together by chains, but each that goes is itself alike to the one that stays: of a group the best stays, then the
    best of those that are not alike to it, and so on. Better: in a given test, then validation part; the longer
    answer (prose alone); the heavier row; the earlier one.
    """
    numbers = np.flatnonzero(verdicts.kept)
    lengths = np.zeros(len(numbers), np.int64)

    def texts() -> Iterator[str]:
        for at, (given, answer) in enumerate(_texts(source, verdicts, steps)):
            lengths[at] = len(answer)
            yield f"{given}\n{answer}" if goal.output == "text" else given

    group = groups(texts(), near)
    if goal.output != "text":
        lengths[:] = 0
        answered = verdicts.marks.answered[numbers]
        group = np.unique(np.column_stack([group.astype(np.uint64), answered]), axis=0, return_inverse=True)[1].ravel()
    marks = verdicts.marks
    rank = np.lexsort((numbers, -marks.weight[numbers], -lengths, marks.part_rank[numbers], group))
    many = np.bincount(group)[group[rank]] > 1
    rank = rank[many]
    if not len(rank):
        return NearDuplicates({}, {})
    with TextSets.of(texts()) as sets:
        return _settle(rank, group, numbers, sets, near)


def _settle(rank: Ints, group: Ints, numbers: Ints, sets: TextSets, near: float) -> NearDuplicates:
    """Go through each group, best first, as long as rows are left that no kept one is alike to."""
    into: dict[int, int] = {}
    similarity: dict[int, float] = {}
    starts = np.flatnonzero(np.concatenate(([True], group[rank[1:]] != group[rank[:-1]])))
    for members in np.split(rank, starts[1:]):
        left = members
        while len(left) > 1:
            keeper, others = left[0], left[1:]
            alike = sets.jaccard(np.full(len(others), keeper), others)
            for other, how in zip(others[alike >= near].tolist(), alike[alike >= near].tolist(), strict=True):
                into[int(numbers[other])] = int(numbers[keeper])
                similarity[int(numbers[other])] = float(how)
            left = others[alike < near]
    return NearDuplicates(into, similarity)


def _texts(source: Path, verdicts: Verdicts, steps: RowSteps) -> Iterator[tuple[str, str]]:
    """Input and answer of each kept row, masked and mended."""
    for row, example in enumerate(read_examples(source)):
        if verdicts.kept[row]:
            checked = steps.check(example).example if verdicts.marks.fixed[row] else example
            yield checked.input, checked.answer or ""


def merge(verdicts: Verdicts, found: NearDuplicates) -> Verdicts:
    """Merge them, but for rows that the user wants kept."""
    into, kept, merged = verdicts.into.copy(), verdicts.kept.copy(), verdicts.merged.copy()
    for row, keeper in found.into.items():
        into[row] = keeper
        if not verdicts.marks.wanted[row]:
            kept[row], merged[row] = False, True
    return replace(verdicts, into=into, kept=kept, merged=merged, near=found.similarity)
