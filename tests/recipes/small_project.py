"""A small classifier project and the command `tunesmith` in a process group of its own, to be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
LABELS = ("expenses", "hardware", "network", "payroll", "printing")
ROWS_PER_LABEL = 23
SETTINGS = """\
version: 1
name: small
goal: {input: text, output: label}
base: {model: all-minilm-l6-v2}
collect:
  - {path: tickets.jsonl, input: text, output: team}
split: {train: 0.7, validation: 0.1, test: 0.2}
# float32: `auto` measures, and a busy machine may measure otherwise
train: {epochs: 2, batch_size: 16, learning_rate: 1.0e-4, checkpoint_seconds: CHECKPOINT, precision: float32}
test: {resamples: 1000, raccoon: off}
"""


def write_project(folder: Path, *, checkpoint_seconds: float = 0) -> Path:
    """Write the project: 115 tickets of five labels, and seven rows that `clean` mends or takes out."""
    folder.mkdir(parents=True)
    text = "".join(json.dumps(row) + "\n" for row in rows())
    (folder / "tickets.jsonl").write_text(text, encoding="utf-8")
    settings = SETTINGS.replace("CHECKPOINT", f"{checkpoint_seconds:g}")
    (folder / "tunesmith.yaml").write_text(settings, encoding="utf-8")
    return folder


def rows() -> list[dict[str, str]]:
    """The rows as {"text", "team"}: taken from the example project, with mess of every kind that clean knows."""
    lines = (ROOT / "examples" / "ticket-routing" / "tickets.jsonl").read_text(encoding="utf-8").splitlines()
    found: dict[str, dict[str, str]] = {}
    counts = dict.fromkeys(LABELS, 0)
    for row in map(json.loads, lines):
        text, team = row.get("text") or "", row.get("team")
        if team in counts and counts[team] < ROWS_PER_LABEL and text.strip() and text not in found:
            counts[team] += 1
            found[text] = {"text": text, "team": team}
    if set(counts.values()) != {ROWS_PER_LABEL}:
        raise ValueError(f"the example has too few rows: {counts}")
    clean = list(found.values())
    mess = [
        clean[0],
        clean[7],
        {"text": "   ", "team": "payroll"},
        {"text": "the copier on floor two eats every second sheet", "team": " Printing "},
        {"text": "who do I ask about this", "team": "hardware"},
        {"text": "who do I ask about this", "team": "network"},
        clean[0],
    ]
    return [*clean[:50], *mess, *clean[50:]]


def environment(bases_cache: Path) -> dict[str, str]:
    """The environment of the command: this checkout, the tests' bases, threads that wait without spinning."""
    patient = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}
    return {**os.environ, **patient, "PYTHONPATH": str(ROOT), "TUNESMITH_CACHE": str(bases_cache)}


@contextmanager
def started(project: Path, bases_cache: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """`tunesmith WORDS` on the project, leader of its own process group; nothing of it outlives the block."""
    command = [sys.executable, "-m", "tunesmith.cli", *words, "--project", str(project)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(bases_cache),
        start_new_session=True,
    )
    try:
        yield process
    finally:
        kill(process)
        process.communicate()


def kill(process: subprocess.Popen[str]) -> None:
    """`kill -9` the whole process group."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def finish(project: Path, bases_cache: Path, *words: str) -> tuple[int, str]:
    """Run a command to its end: its exit code and what it said."""
    with started(project, bases_cache, *words) as process:
        said, _ = process.communicate(timeout=400)
        return process.returncode, said
