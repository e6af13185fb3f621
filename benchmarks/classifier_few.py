"""A classifier on ten rows of each intent of Banking77, beside SetFit: accuracy, and time of the whole command.

Both sides start from the same encoder and get the same draws. Ours is `tunesmith run` on a project: it cleans,
splits, trains, tests the base and the tuned model and writes the report. SetFit's is a script that
trains and answers the official test rows.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.banking77 import FEW_SPLIT, draw, percent, read, run_files, write
from benchmarks.base_model import folder_of
from benchmarks.classifier_all import accuracy, some, write_labelled
from benchmarks.command import shared
from benchmarks.figure import Figure, at_least
from benchmarks.overrides import split
from benchmarks.sides import Side, interpreter, run_side

#: SetFit's default makes 585,000 pairs of 770 rows, which takes hours here. The pairs of its paper, and the fewest.
SIDES = (
    Side("SetFit, 20 pairs of each kind a row", "setfit_few.py", "setfit", {"settings": {"num_iterations": 20}}),
    Side("SetFit, undersampling", "setfit_few.py", "setfit", {"settings": {"sampling_strategy": "undersampling"}}),
)
ACCURACY = 87.5  # % of the official test rows
Found = dict[str, list[tuple[float, float]]]  # by side: (accuracy in %, seconds) of each draw


def run(overrides: Sequence[str] = ()) -> list[Figure]:
    """Three draws; ``--set draws=1 --set an_intent=3 --set test=100`` is smaller; the rest goes to `tunesmith run`."""
    asked, others = split(overrides, draws=3, an_intent=10, test=10**6)
    data = shared("banking77")
    model = str(folder_of("all-minilm-l6-v2", "label"))
    interpreter(SIDES[0])  # the peer's environment is made before anything is timed
    found: Found = {name: [] for name in ("ours", *(side.name for side in SIDES))}
    for seed in range(asked["draws"]):
        with tempfile.TemporaryDirectory(prefix="tunesmith-few-") as temporary:
            folder = Path(temporary)
            rows, tests = (
                draw(data / "train.csv", seed, asked["an_intent"]),
                some(read(data / "test.csv"), asked["test"]),
            )
            train, test = write(folder / "train.csv", rows), write(folder / "test.csv", tests)
            measured, ours = run_files(train, test, others, FEW_SPLIT)
            found["ours"].append((percent(ours["all"]), measured.seconds))
            job = {
                "model": model,
                "train": str(write_labelled(folder / "train.jsonl", rows)),
                "test": str(write_labelled(folder / "test.jsonl", tests)),
                "seed": seed,
            }
            for side in SIDES:
                told = run_side(side, job, folder)
                found[side.name].append((accuracy([told]), told["wall_seconds"]))
    return figures(found)


def figures(found: Mapping[str, Sequence[tuple[float, float]]]) -> list[Figure]:
    """Means of the draws; ours should be ahead of each side in accuracy and in time."""
    means = {name: [statistics.mean(values) for values in zip(*draws, strict=True)] for name, draws in found.items()}
    notes = {
        name: "draws: " + ", ".join(f"{right:.1f} % in {seconds:.0f} s" for right, seconds in draws)
        for name, draws in found.items()
    }
    right, seconds = means["ours"]
    made = [at_least("ten an intent, ours, mean accuracy", right, "%", ACCURACY, notes["ours"], 6)]
    for name in found:
        if name != "ours":
            its_right, its_seconds = means[name]
            made += [
                Figure(f"ten an intent, {name}, mean accuracy", its_right, "%", note=notes[name]),
                at_least(f"ten an intent, accuracy, ours less {name}", right - its_right, "points", 0, "", 6),
                at_least(f"ten an intent, time, {name} over ours", its_seconds / seconds, "times", 1, "", 6),
            ]
    return made
