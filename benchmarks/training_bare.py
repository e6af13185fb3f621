"""Conversations without a system prompt and without the template's head, beside TRL.

Only words that happen to be equal are shared.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.beside_trl import DEFAULTS, times_trl
from benchmarks.command import shared
from benchmarks.figure import Figure
from benchmarks.overrides import numbers
from benchmarks.training_rows import chat

BAR = 2.5  # times TRL's rows a second


def run(overrides: Sequence[str] = ()) -> list[Figure]:
    """256 rows, 16 a step, one epoch; ``--set rows=32`` takes fewer."""
    count = numbers(overrides, rows=256)["rows"]
    rows = chat(shared("banking77"), count, system=None)
    return times_trl("nothing shared", rows, DEFAULTS, BAR, number=2, without_head=True)
