"""Advice where the truth is known: five tasks in each of which another way should win, three draws of each.

Each is a project that is trained and advised on as a user would, with the real small models.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.advice_tasks import TASKS, Task
from benchmarks.figure import Figure
from benchmarks.overrides import split

SEEDS = 3


def run(overrides: Sequence[str] = ()) -> list[Figure]:
    """All tasks; ``--set seeds=1`` is shorter, ``--set only=2`` takes the second task alone; the rest are settings."""
    asked, others = split(overrides, seeds=SEEDS, only=0)
    makers = TASKS if not asked["only"] else TASKS[asked["only"] - 1 : asked["only"]]
    figures, right, runs = [], 0, 0
    for maker in makers:
        told = []
        for seed in range(asked["seeds"]):
            task = maker(seed)
            answer, about = advised(task, others)
            told.append(answer)
            right += answer == task.right
            runs += 1
            print(f"  {task.name}, seed {seed}: {answer}; {about}", file=sys.stderr, flush=True)
        hits = sum(answer == maker(0).right for answer in told)
        figures.append(
            Figure(f"{maker(0).right} advised where it should win", hits, f"of {len(told)}", note=", ".join(told))
        )
    bar = len(TASKS) * SEEDS
    met = right == runs if runs == bar else None
    return [*figures, Figure("advice that is right", right, f"of {runs}", f"{bar} of {bar}", met)]


def advised(task: Task, overrides: Sequence[str] = ()) -> tuple[str, str]:
    """Train, and ask for advice: the answer, and the figures of the arms."""
    from tunesmith import Project

    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"tunesmith-advice-{task.name}-") as name:
        project = Project.open(task.write(Path(name) / "project"))
        project.run(to="train", overrides=list(overrides))
        result = project.run(to="advise", overrides=list(overrides))
        advice = result.advise
        assert advice is not None
        arms = [f"{arm['name']} {100 * arm['scores'][0]['value']:.0f}%" for arm in advice.arms]
        return str(advice.advice["answer"]), f"{', '.join(arms)}; {time.monotonic() - began:.0f} s"
