"""Short conversations with one system prompt, beside TRL's SFTTrainer: speed, losses, memory, share of the machine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from benchmarks.beside_trl import BEST, DEFAULTS, EXACT, OURS, OURS_EXACT, job_of
from benchmarks.command import environment, shared
from benchmarks.figure import Failed, Figure, at_least, at_most
from benchmarks.overrides import numbers
from benchmarks.sides import median, run_side, speeds, take_turns
from benchmarks.training_rows import chat

BARS = {DEFAULTS.name: 8.0, BEST.name: 6.0}  # times TRL's rows a second
APART = 1e-4  # of the losses of a step in float32
MEMORY = 60.0  # % of TRL's
SHARE = 50.0  # % of the rate of bare products


def run(overrides: Sequence[str] = ()) -> list[Figure]:
    """256 rows, 16 a step, one epoch; ``--set rows=32`` takes fewer."""
    rows = numbers(overrides, rows=256)["rows"]
    with job_of(chat(shared("banking77"), rows)) as (job, folder):
        measured = take_turns([OURS, DEFAULTS, BEST], job, folder)
        ours, theirs = (run_side(side, job, folder) for side in (OURS_EXACT, EXACT))
    return [
        *speeds("chat", measured, rows, BARS, number=1),
        losses_apart(ours["losses"], theirs["losses"]),
        memory(measured),
        of_the_machine(measured[OURS.name]),
    ]


def losses_apart(ours: Sequence[float], theirs: Sequence[float]) -> Figure:
    """The largest difference of any step's loss. Raises Failed when the steps are not as many."""
    if len(ours) != len(theirs):
        raise Failed(f"{len(ours)} steps of ours, and {len(theirs)} of TRL's")
    apart = [abs(left - right) for left, right in zip(ours, theirs, strict=True)]
    largest = max(range(len(apart)), key=lambda step: apart[step])
    note = f"of {len(apart)} steps, in step {largest + 1}: {ours[largest]:.6f} and {theirs[largest]:.6f}"
    return at_most("chat, losses of a step apart from TRL's, float32", apart[largest], "", APART, note, number=1)


def memory(measured: dict[str, list[Any]]) -> Figure:
    ours, theirs = (median(measured[side.name], "megabytes") for side in (OURS, DEFAULTS))
    note = f"{ours:,.0f} MB of {theirs:,.0f} MB"
    return at_most("chat, peak memory, of TRL's at its defaults", 100 * ours / theirs, "%", MEMORY, note, number=5)


def of_the_machine(runs: Sequence[Any]) -> Figure:
    """The share of the rate of bare bfloat16 products, measured now by `benchmarks/peers/bare_products.py`."""
    command = [sys.executable, "-m", "benchmarks.peers.bare_products"]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment(), check=True)
    bare = json.loads(ended.stdout)
    flops = runs[0]["nodes"] * bare["flops_a_node"] + runs[0]["targets"] * bare["flops_a_target"]
    share = 100 * flops / median(runs) / bare["flops_a_second"]
    note = f"{flops / 1e12:.1f} TFLOP needed, bare products {bare['flops_a_second'] / 1e9:,.0f} GFLOP/s"
    return at_least("chat, share of the machine's bare product rate", share, "%", SHARE, note, number=4)
