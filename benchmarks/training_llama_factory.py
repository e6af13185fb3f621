"""Short conversations with one system prompt, beside LLaMA-Factory."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.beside_trl import OURS, job_of
from benchmarks.command import shared
from benchmarks.figure import Figure
from benchmarks.overrides import numbers
from benchmarks.sides import Side, speeds, take_turns
from benchmarks.training_rows import chat

DEFAULTS = Side("LLaMA-Factory defaults", "llama_factory.py", "llamafactory")
#: The best setting found: 16 rows a step packed into one sequence, bfloat16 autocast, no checkpointing.
PACKED = {
    "neat_packing": True,
    "cutoff_len": 704,
    "per_device_train_batch_size": 1,
    "bf16": True,
    "disable_gradient_checkpointing": True,
}
BEST = Side("LLaMA-Factory best", "llama_factory.py", "llamafactory", {"settings": PACKED})
BARS = {DEFAULTS.name: 8.0, BEST.name: 6.0}  # times its rows a second


def run(overrides: Sequence[str] = ()) -> list[Figure]:
    """The job of `training_chat.py`; ``--set rows=32`` takes fewer of its 256 rows."""
    rows = numbers(overrides, rows=256)["rows"]
    with job_of(chat(shared("banking77"), rows)) as (job, folder):
        measured = take_turns([OURS, DEFAULTS, BEST], job, folder)
    return speeds("chat", measured, rows, BARS, number=1)
