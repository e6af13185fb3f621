"""Planning a million rows for training: its share of the training's time, and how it grows with the rows.

The training's time follows from the tokens a second of the conversations of `training_chat.py`,
trained in the same run; the million rows are made of these.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from benchmarks.beside_trl import OURS, job_of
from benchmarks.command import shared
from benchmarks.figure import Figure, at_most
from benchmarks.overrides import numbers
from benchmarks.sides import ROUNDS, Side, median, run_side, take_turns
from benchmarks.training_rows import chat, write_rows

ROWS = 1_000_000
SIZES = 5  # each half of the one after it, the last one ROWS
TRAINED = 256  # rows that the training's speed is measured on
SHARE = 2.0  # % of the training's time
PLANNED = Side("planned", "planned.py")


def run(overrides: Sequence[str] = ()) -> list[Figure]:
    """``--set rows=16000`` plans fewer, ``--set trained=32`` measures the training's speed on fewer."""
    asked = numbers(overrides, rows=ROWS, trained=TRAINED)
    rows = chat(shared("banking77"))
    counts = [asked["rows"] >> halvings for halvings in reversed(range(SIZES))]
    with job_of(rows[: asked["trained"]]) as (job, folder):
        trained = take_turns([OURS], job, folder)[OURS.name]
        recipe = {name: trained[0][name] for name in ("budget", "workers")}
        to_cross = str(write_rows(folder / "all.jsonl", rows))
        planned = run_side(PLANNED, {**job, **recipe, "rows": to_cross, "counts": counts, "rounds": ROUNDS}, folder)
    speed = trained[0]["tokens"] / median(trained)
    last = planned["counts"][-1]
    seconds, needed = statistics.median(last["seconds"]), last["tokens"] / speed
    note = f"{seconds:.1f} s, and training takes {needed / 3600:,.1f} hours at {speed:,.0f} tokens/s"
    share = f"planning {last['rows']:,} rows, of their training's time"
    at_once = growth("planning all rows as if one step's", planned["counts"], "at_once")
    return [
        at_most(share, 100 * seconds / needed, "%", SHARE, note, 7),
        growth("planning an epoch", planned["counts"], "seconds", number=7),
        # Told without a bar: sorting so many rows at once is slowed by memory too, and no training does it.
        replace(at_once, bar="", met=None),
        Figure("planning, memory besides the rows", planned["megabytes"], "MB", note=f"{last['rows']:,} rows"),
    ]


def growth(name: str, counts: Sequence[dict[str, Any]], key: str, number: int | None = None) -> Figure:
    """The exponent of the rows that the seconds grow with, and that of n log n over the same sizes as the bar."""
    sizes = [one["rows"] for one in counts]
    seconds = [statistics.median(one[key]) for one in counts]
    told = ", ".join(f"{size:,}: {second:.2f} s" for size, second in zip(sizes, seconds, strict=True))
    bar = exponent(sizes, [size * math.log(size) for size in sizes])
    note = f"n log n has {bar:.3f}; {told}"
    return at_most(f"{name}, exponent of its growth", exponent(sizes, seconds), "", round(bar, 3), note, number)


def exponent(sizes: Sequence[int], costs: Sequence[float]) -> float:
    """The slope of log cost by log size, by least squares."""
    return statistics.linear_regression([math.log(size) for size in sizes], [math.log(cost) for cost in costs]).slope
