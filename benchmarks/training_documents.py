"""Questions, ten on each document, beside TRL's SFTTrainer."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.beside_trl import DEFAULTS, times_trl
from benchmarks.command import shared
from benchmarks.figure import Figure
from benchmarks.overrides import numbers
from benchmarks.training_rows import documents

BAR = 5.0  # times TRL's rows a second


def run(overrides: Sequence[str] = ()) -> list[Figure]:
    """64 questions, 16 a step, one epoch; ``--set rows=16`` takes fewer."""
    count = numbers(overrides, rows=64)["rows"]
    return times_trl("documents", documents(shared("banking77"), count), DEFAULTS, BAR, number=3)
