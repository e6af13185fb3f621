"""Preferences between two answers to a long prompt, beside TRL's DPOTrainer."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.beside_trl import DPO_DEFAULTS, times_trl
from benchmarks.command import shared
from benchmarks.figure import Figure
from benchmarks.overrides import numbers
from benchmarks.training_rows import preferences

BAR = 2.5  # times TRL's pairs a second


def run(overrides: Sequence[str] = ()) -> list[Figure]:
    """32 pairs, 16 a step, one epoch; ``--set rows=16`` takes fewer."""
    count = numbers(overrides, rows=32)["rows"]
    return times_trl("preferences", preferences(shared("banking77"), count), DPO_DEFAULTS, BAR, number=3)
