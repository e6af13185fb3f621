"""A classifier on all rows of Banking77, three epochs, beside Transformers' Trainer: rows a second and accuracy.

Both sides train the same encoder on the same rows, with the same batch size, epochs and peak learning
rate, each with its own loop, loss and order of rows, and answer the official test rows.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.banking77 import read
from benchmarks.base_model import folder_of
from benchmarks.command import shared
from benchmarks.figure import Figure, at_least
from benchmarks.overrides import numbers
from benchmarks.sides import Side, median, speeds, take_turns
from benchmarks.training_rows import write_rows

EPOCHS = 3
JOB = {"batch_size": 64, "epochs": EPOCHS, "learning_rate": 2e-4}
OURS = Side("ours", "ours_classifier.py")
TRAINERS = (
    Side("Trainer, float32", "transformers_trainer.py", "setfit"),
    Side("Trainer, bfloat16", "transformers_trainer.py", "setfit", {"settings": {"bf16": True}}),
)
BAR = 3.0  # times the rows a second of the faster Trainer
ACCURACY = 93.4  # % of the official test rows


def run(overrides: Sequence[str] = ()) -> list[Figure]:
    """All 10,003 rows; ``--set rows=640`` and ``--set test=100`` take some of them."""
    data = shared("banking77")
    asked = numbers(overrides, rows=10**6, test=10**6)
    train, test = (some(read(data / f"{name}.csv"), asked[key]) for name, key in (("train", "rows"), ("test", "test")))
    with tempfile.TemporaryDirectory(prefix="tunesmith-classifier-") as temporary:
        folder = Path(temporary)
        job = {
            **JOB,
            "model": str(folder_of("all-minilm-l6-v2", "label")),
            "train": str(write_labelled(folder / "train.jsonl", train)),
            "test": str(write_labelled(folder / "test.jsonl", test)),
        }
        measured = take_turns([OURS, *TRAINERS], job, folder)
    faster = min((side.name for side in TRAINERS), key=lambda name: median(measured[name]))
    return [
        *speeds("classifier", measured, EPOCHS * len(train), {faster: BAR}, number=6),
        *accuracies("classifier", measured, ACCURACY),
    ]


def some(rows: Sequence[tuple[str, str]], count: int) -> list[tuple[str, str]]:
    """So many rows, evenly drawn: the files have them by intent."""
    return list(rows[:: max(1, len(rows) // count)][:count])


def write_labelled(path: Path, rows: Sequence[tuple[str, str]]) -> Path:
    return write_rows(path, [{"text": text, "label": label} for text, label in rows])


def accuracies(name: str, measured: Mapping[str, Sequence[Any]], bar: float) -> list[Figure]:
    """The accuracy of each side, ours held to the bar, and ours less each peer's, which should not be below 0."""
    ours = accuracy(measured[OURS.name])
    note = f"of {len(measured[OURS.name][0]['right']):,} rows, median of {len(measured[OURS.name])}"
    figures = [at_least(f"{name}, ours, accuracy", ours, "%", bar, note, 6)]
    for side, runs in measured.items():
        if side != OURS.name:
            apart = paired(measured[OURS.name], runs)
            figures += [
                Figure(f"{name}, {side}, accuracy", accuracy(runs), "%", note=note),
                at_least(f"{name}, accuracy, ours less {side}", ours - accuracy(runs), "points", 0, apart, 6),
            ]
    return figures


def accuracy(runs: Sequence[Any]) -> float:
    """The median of the runs, in percent."""
    return statistics.median(100 * sum(one["right"]) / len(one["right"]) for one in runs)


def paired(ours: Sequence[Any], theirs: Sequence[Any]) -> str:
    """The interval of the difference between the first runs of two sides, row by row."""
    import numpy as np

    from tunesmith.scoring.paired import difference
    from tunesmith.scoring.statistic import Mean

    left, right = (Mean(np.array(runs[0]["right"], dtype=float)) for runs in (ours, theirs))
    found = difference("accuracy", ("ours", left), ("theirs", right))
    return f"95% interval {100 * found.low:+.1f} to {100 * found.high:+.1f}, rows in pairs"
