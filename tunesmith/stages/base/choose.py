"""`model: auto`: the largest base that does the task, fits the memory and trains in reasonable time here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tunesmith.catalog import Entry
from tunesmith.stages.base.machine import Machine

MEMORY_SHARE = 0.7  # of the machine; the rest is for the data and for everything else that runs
PATIENCE = 20 * 60  # seconds of training that a user will wait for without having asked for it
PASSES = 3  # over the data, about what training takes
CHARACTERS_A_TOKEN = 4  # English prose
CORE_FLOPS = 5e10  # float32 training on one core: TRL on the build machine did about 1.1e11 on two
CUDA_FLOPS = 1e13  # a modest GPU; unchecked


@dataclass(frozen=True)
class Choice:
    """A base that would do, and one sentence on why."""

    entry: Entry
    reason: str


def choose(
    entries: Sequence[Entry], output: str, examples: int, characters: int, machine: Machine, *, hub: bool
) -> list[Choice]:
    """The bases for the task, best first: those after the first serve when it cannot be had.

    ``characters`` is the size of all texts. A base that nobody has checked is taken only for a
    machine with a GPU that may ask the hub: elsewhere the small checked ones are the right size.
    Returns an empty list when no entry makes this output.
    """
    able = [entry for entry in entries if output in entry.outputs]
    offered = [entry for entry in able if entry.checked or (machine.cuda and hub)]
    fitting = [entry for entry in offered if entry.memory_to_train <= MEMORY_SHARE * machine.memory]
    quick = [entry for entry in fitting if training_seconds(entry, characters, machine) <= PATIENCE]
    here = f"{machine}; {examples:,} example{'s' * (examples != 1)}"
    if quick:
        ranked = sorted(quick, key=lambda entry: -entry.parameters)
        why = f"the largest such base that this machine trains within {PATIENCE // 60} minutes"
    elif fitting:
        ranked = sorted(fitting, key=lambda entry: entry.parameters)
        why = "the quickest such base to train"
    else:
        ranked = sorted(offered, key=lambda entry: entry.parameters)
        why = "the smallest such base, though it wants more memory than this machine has"
    if len(offered) == 1 and fitting:
        why = "the one such base that has been checked" if offered[0].checked else "the one such base"
    task = "sorts text into labels" if output == "label" else f"writes {'JSON' if output == 'json' else output}"
    return [Choice(entry, f"auto chose {entry.name}: it {task} and is {why} ({here}).") for entry in ranked]


def training_seconds(entry: Entry, characters: int, machine: Machine) -> float:
    """A rough guess: 6 floating-point operations a parameter and token (arXiv:2001.08361, section 2.1)."""
    rate = CUDA_FLOPS if machine.cuda else machine.cores * CORE_FLOPS
    return 6 * entry.parameters * PASSES * (characters / CHARACTERS_A_TOKEN) / rate
