"""How long the planning of an epoch takes, by the number of rows: the sampler's draws and the trees of each step.

``python -m benchmarks.peers.planned JOB.json`` prints one JSON object. The job is that of `ours.py`, with
``counts`` of rows to plan, ``rounds``, and the recipe's ``budget`` and ``workers``.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.memory import megabytes
from benchmarks.peers.ours import base_of, encoded
from tunesmith.products import EncodedRow
from tunesmith.threads import be_patient
from tunesmith.training.sampler import Sampler, steps_in_epoch
from tunesmith.training.tree_packing import plan, trees


def main(job: dict[str, Any]) -> dict[str, Any]:
    """For each count: tokens of its rows; seconds of an epoch's planning and of one step of all rows, each round's."""
    be_patient()
    rows = list(crossed(encoded(job, base_of(job)), max(job["counts"])))
    held = megabytes()
    found: list[dict[str, Any]] = [
        {"rows": count, "tokens": sum(len(row.tokens) for row in rows[:count]), "seconds": [], "at_once": []}
        for count in job["counts"]
    ]
    grown = 0.0
    for _ in range(job["rounds"]):
        for one in found:
            one["seconds"].append(plan_epoch(rows[: one["rows"]], job))
        grown = grown or megabytes() - held
        for one in found:
            one["at_once"].append(plan_at_once(rows[: one["rows"]], job))
    return {"counts": found, "megabytes": grown, "seconds": sum(one["seconds"][-1] for one in found)}


def crossed(rows: Sequence[EncodedRow], count: int) -> Iterator[EncodedRow]:
    """So many rows, each the beginning of one row and the end of another.

    They are as long as the rows given, and share beginnings as these do.
    """
    random = np.random.default_rng(0)
    lefts, rights = random.integers(len(rows), size=(2, count)).tolist()
    for number, (left, right, share) in enumerate(zip(lefts, rights, random.random(count).tolist(), strict=True)):
        first, second = rows[left], rows[right]
        at = int(share * min(len(first.tokens), len(second.tokens)))
        tokens = first.tokens[:at] + second.tokens[at:]
        yield EncodedRow(f"{number:016x}", tokens, first.trained[:at] + second.trained[at:], None, 1.0, at)


def plan_epoch(rows: Sequence[EncodedRow], job: dict[str, Any]) -> float:
    """Seconds of this processor for all that the training loop plans in one epoch.

    A step's trees go when the next one's are made.
    """
    began = time.process_time()
    sampler = Sampler(rows, job["batch_size"], seed=0)
    for step in range(steps_in_epoch(len(rows), job["batch_size"])):
        trees(sampler.step(step), job["budget"], job["workers"])
    return time.process_time() - began


def plan_at_once(rows: Sequence[EncodedRow], job: dict[str, Any]) -> float:
    """Seconds of this processor to order and group all rows as if they were one step's."""
    began = time.process_time()
    plan(rows, job["budget"], job["workers"])
    return time.process_time() - began


if __name__ == "__main__":
    print("\n" + json.dumps(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
