"""How long `tunesmith --help` takes."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.command import environment, tunesmith
from benchmarks.figure import Figure, at_most

TIMES = 7
BAR = 0.5  # seconds


def run(overrides: Sequence[str] = ()) -> list[Figure]:
    """Wall time of the installed command, or of `python -m tunesmith.cli` where it is not installed."""
    installed = Path(sys.executable).parent / "tunesmith"
    command = [str(installed), "--help"] if installed.exists() else tunesmith("--help")
    seconds = []
    for _ in range(TIMES):
        began = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True, env=environment())
        seconds.append(time.perf_counter() - began)
    how = f"of {TIMES}; {'tunesmith' if installed.exists() else 'python -m tunesmith.cli'} --help"
    return [
        at_most("help, best", min(seconds), "s", BAR, how),
        at_most("help, median", statistics.median(seconds), "s", BAR, how),
    ]
