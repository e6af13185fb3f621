"""The first pass over the collection: each row alone is checked and marked, on all cores."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tunesmith.decisions import Decisions
from tunesmith.example_parquet import group_sizes, read_examples
from tunesmith.processes import Processes, cores
from tunesmith.products import GoalSheet
from tunesmith.stages.clean.decided import DecidedSteps
from tunesmith.stages.clean.marks import Marks
from tunesmith.stages.clean.row_steps import Learned
from tunesmith.stages.clean.settings import CleanSettings

#: For fewer rows than this other processes are not worth their start.
FEWEST_ROWS = 20_000


def first_pass(
    source: Path,
    goal: GoalSheet,
    settings: CleanSettings,
    seed: int,
    decisions: Decisions,
    learned: Learned,
    told: Callable[[int], None],
) -> Marks:
    """Check every row of the file. ``told`` is called with the number of rows that are done, again and again."""
    sizes = group_sizes(source)
    count = min(cores(), len(sizes)) if sum(sizes) >= FEWEST_ROWS else 1
    parts: list[Marks] = []
    done = 0
    with Processes(count, f"{__name__}:marker", source, goal, settings, seed, decisions, learned) as processes:
        for marks, rows in zip(processes.map(range(len(sizes))), sizes, strict=True):
            parts.append(marks)
            done += rows
            told(done)
    return Marks.joined(parts)


def marker(
    source: Path, goal: GoalSheet, settings: CleanSettings, seed: int, decisions: Decisions, learned: Learned
) -> Callable[[int], Marks]:
    """What marks the rows of one group of the file, given its number."""
    steps = DecidedSteps(goal, settings, seed, decisions, learned)
    sizes = group_sizes(source)

    def marked(group: int) -> Marks:
        return Marks.of(steps.prepared(read_examples(source, groups=[group])), sizes[group], steps)

    return marked
