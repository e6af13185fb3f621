"""The three example projects from start to end: scores of the base and the tuned model, time, memory."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.command import ROOT, made, run_project
from benchmarks.figure import Figure, at_most

EXAMPLES = ("support-desk", "ticket-routing", "brand-voice")
#: Of what it took in the end.
ESTIMATE_OFF = 0.25
SECONDS = {"support-desk": 240}  # what `make demo` may take after the install
MEGABYTES = 4000


def run(overrides: Sequence[str] = ()) -> list[Figure]:
    """Run a copy of each example; results that lie in the original's folder are not used."""
    return [figure for name in EXAMPLES for figure in run_one(name, overrides)]


def run_one(name: str, overrides: Sequence[str] = ()) -> list[Figure]:
    """Measure `tunesmith run` on one example."""
    with tempfile.TemporaryDirectory(prefix="tunesmith-example-") as temporary:
        folder = Path(temporary) / name
        shutil.copytree(ROOT / "examples" / name, folder, ignore=shutil.ignore_patterns(".tunesmith", "tunesmith.lock"))
        measured = run_project(folder, overrides)
        found = made(folder, "test", "test.json")
        took = made(folder, "train", "train.json")["facts"]
    seconds = Figure(f"{name}, time", measured.seconds, "s")
    if name in SECONDS:
        seconds = at_most(seconds.name, seconds.value, "s", SECONDS[name])
    fits = measured.megabytes < MEGABYTES
    memory = Figure(f"{name}, peak memory", measured.megabytes, "MB", f"< {MEGABYTES:,} MB", fits)
    return [*scores(name, found), seconds, memory, *estimates(name, took)]


def estimates(name: str, took: Any) -> list[Figure]:
    """How far what was told before the training lies from what it took."""
    expected = took["expected"]
    pairs = {
        "time": (expected["seconds"], took["seconds"]),
        "memory": (expected["memory_bytes"], took["peak_memory_bytes"]),
    }
    return [
        at_most(f"{name}, training {what} off its estimate", abs(told / real - 1), "", ESTIMATE_OFF)
        for what, (told, real) in pairs.items()
    ]


def scores(name: str, found: Any) -> list[Figure]:
    """The primary metric of base and tuned, and their paired difference."""
    metric = found["facts"]["primary"]
    figures = []
    for candidate in ("base", "tuned"):
        score = next(score for score in found["scores"][candidate] if score["metric"] == metric)
        note = f"n = {score['n']:,}, 95% interval {interval(score)}"
        figures.append(Figure(f"{name}, {metric}, {candidate}", score["value"], "", note=note))
    pair = (metric, "tuned", "base")
    difference = next(one for one in found["differences"] if (one["metric"], one["left"], one["right"]) == pair)
    figures.append(
        Figure(
            f"{name}, {metric}, tuned − base",
            difference["value"],
            "",
            "interval above 0",
            difference["low"] > 0,
            f"paired, 95% interval {interval(difference)}",
        )
    )
    return figures


def interval(found: Any) -> str:
    return f"{found['low']:.3f} to {found['high']:.3f}"
