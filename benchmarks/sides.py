"""Sides of a comparison: the same job with one tool or another, each run in a process of its own, in turns."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.command import ROOT, environment
from benchmarks.figure import Failed, Figure, at_least
from benchmarks.peers import environment as peers

#: How many times each side is run; the median is told.
ROUNDS = int(os.environ.get("TUNESMITH_BENCH_ROUNDS", "2"))


@dataclass(frozen=True)
class Side:
    """A tool at a job: a script of `benchmarks/peers` and what the job says to this side alone.

    ``peer`` names the environment that the script runs in (`peers/environment.py`); none is our own.
    """

    name: str
    script: str
    peer: str | None = None
    job: Mapping[str, Any] = field(default_factory=dict)


def take_turns(sides: Sequence[Side], job: Mapping[str, Any], folder: Path) -> dict[str, list[Any]]:
    """What each side told, by its name: the sides one after the other, ROUNDS times."""
    for side in sides:
        interpreter(side)  # a peer's environment is made before anything is timed
    found: dict[str, list[Any]] = {side.name: [] for side in sides}
    for turn in range(1, ROUNDS + 1):
        for side in sides:
            told = run_side(side, job, folder)
            found[side.name].append(told)
            print(f"  turn {turn} of {ROUNDS}: {side.name} {told['seconds']:.1f} s", file=sys.stderr, flush=True)
    return found


def run_side(side: Side, job: Mapping[str, Any], folder: Path) -> Any:
    """Run a side's script to its end and read the object that it prints last.

    ``wall_seconds`` of the whole process is added. Raises Failed when it does not end well.
    """
    path = folder / "job.json"
    path.write_text(json.dumps({"settings": {}, **job, **side.job}), encoding="utf-8")
    command = [*interpreter(side), str(path)]
    began = time.perf_counter()
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=variables(side), check=False)
    seconds = time.perf_counter() - began
    if ended.returncode != 0:
        raise Failed(f"{' '.join(command)} ended with {ended.returncode}")
    return {**json.loads(ended.stdout.splitlines()[-1]), "wall_seconds": seconds}


def interpreter(side: Side) -> list[str]:
    """The command that runs a side's script. Raises Skipped when its environment cannot be made."""
    if side.peer is None:
        return [sys.executable, "-m", f"benchmarks.peers.{side.script.removesuffix('.py')}"]
    return [str(peers.python(side.peer)), str(ROOT / "benchmarks" / "peers" / side.script)]


def variables(side: Side) -> dict[str, str]:
    """Environment variables: a peer gets none that were set for us, and looks for nothing on the network."""
    if side.peer is None:
        return environment()
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("OMP_", "GOMP_", "PYTHON"))}
    return {**kept, "HF_HUB_OFFLINE": "1"}


def median(runs: Sequence[Any], key: str = "seconds") -> float:
    return statistics.median(run[key] for run in runs)


def speeds(
    job: str,
    measured: Mapping[str, Sequence[Any]],
    rows: int,
    bars: Mapping[str, float],
    number: int | None,
    ours: str = "ours",
) -> list[Figure]:
    """Rows a second of each side, and how many times each peer's ours are, held to the ``bars`` by peer."""
    figures = [
        Figure(
            f"{job}, {name}",
            rows / median(runs),
            "rows/s",
            note=f"{median(runs):.1f} s, peak {median(runs, 'megabytes'):,.0f} MB, median of {len(runs)}",
        )
        for name, runs in measured.items()
    ]
    return figures + [
        at_least(
            f"{job}, ours over {name}", median(measured[name]) / median(measured[ours]), "times", bar, number=number
        )
        for name, bar in bars.items()
    ]
