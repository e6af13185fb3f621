"""Run `tunesmith` as a user does, in a process of its own, and measure that process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.figure import Failed, Skipped

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "data"
MEGABYTE = 1_000_000
ENDED_WELL = (0, 3)  # done; done, but the goal is not met


@dataclass(frozen=True)
class Measured:
    """Wall seconds and peak resident memory of one command."""

    seconds: float
    megabytes: float


def tunesmith(*words: str) -> list[str]:
    return [sys.executable, "-m", "tunesmith.cli", *words]


def environment() -> dict[str, str]:
    """Ours, with this checkout first on Python's path."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path}


def measure(command: Sequence[str], *, allowed: Sequence[int] = ENDED_WELL) -> Measured:
    """Run a command to its end, its output on our stderr. Raises Failed for any other exit code.

    The peak is the kernel's own (``ru_maxrss`` of the process and those it waited for). It begins
    with ours when the process is forked, so what measures must not load torch or data itself.
    """
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=sys.stderr, env=environment())
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in allowed:
        raise Failed(f"{' '.join(command)} ended with {process.returncode}")
    return Measured(seconds, usage.ru_maxrss * 1024 / MEGABYTE)


@dataclass(frozen=True)
class MeasuredAll:
    """Wall seconds, seconds of the processor, and peak memory of a command and the processes that it started.

    Memory is the sum over the processes, each page that several share counted once (PSS), looked at 10 times a second.
    """

    seconds: float
    processor: float
    megabytes: float


def measure_all(command: Sequence[str], *, allowed: Sequence[int] = ENDED_WELL) -> MeasuredAll:
    """As `measure`, with what the command's own processes take."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=sys.stderr, env=environment())
    most = 0
    while True:
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        if ended:
            break
        most = max(most, _memory(process.pid))
        time.sleep(0.1)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in allowed:
        raise Failed(f"{' '.join(command)} ended with {process.returncode}")
    return MeasuredAll(seconds, usage.ru_utime + usage.ru_stime, most / MEGABYTE)


def _memory(pid: int) -> int:
    """Bytes that a process and all that descend from it hold, shared pages counted once."""
    import psutil

    held = 0
    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for one in family:
        with suppress(psutil.Error):
            held += one.memory_full_info().pss
    return held


def run_project(folder: Path, overrides: Sequence[str]) -> Measured:
    """Measure `tunesmith run` on a project."""
    settings = [word for override in overrides for word in ("--set", override)]
    return measure(tunesmith("run", "--project", str(folder), *settings))


def made(folder: Path, stage: str, file: str = "manifest.json") -> Any:
    """A JSON file of what a stage of the project made last."""
    root = folder / ".tunesmith"
    id = (root / "latest" / stage).read_text(encoding="utf-8").strip()
    return json.loads((root / "artifacts" / f"{stage}-{id}" / file).read_text(encoding="utf-8"))


def shared(name: str) -> Path:
    """A folder of shared data. Raises Skipped when it is not there."""
    folder = SHARED / name
    if not folder.is_dir():
        raise Skipped(f"the data is not there: {folder}")
    return folder
