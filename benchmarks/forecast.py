"""The learning curve's forecast, where the truth is known: Banking77 at 10% to 50% of the rows, foretold for all.

The data set's files are put together and split once by the product (near copies stay on one side): the test part is the
truth's, and what lies before it is "all rows". The official test rows would not do, since their labels are
balanced and the training rows are not: that is another population than the validation part's. Each run draws a
share of "all rows", splits it as a user would, trains on nested parts and foretells the accuracy at all rows; the truth
is what a training on all rows, by the same trial, has on the truth's rows.

Trainings are kept in a folder (TUNESMITH_FORECAST, or one in the temporary folder): what was cut off goes on.
`--set quick=1` takes a linear head on frozen embeddings in place of the encoder's tuning: the same forecast of another
curve.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.banking77 import read, write
from benchmarks.command import environment, shared
from benchmarks.figure import Failed, Figure, at_least
from benchmarks.overrides import split
from tunesmith.scoring.learning_curve import Point, fit

SHARES = (10, 20, 30, 40, 50)
SEEDS = 2
HOLDS = 0.9
SETTINGS = """\
version: 1
name: banking77
seed: {seed}
goal: {{input: text, output: label}}
collect: [{{path: {rows}}}]
split: {split}
"""
#: "All rows" and the truth's; and a user's share, of which more is measured than by default.
WHOLE, SHARE = "{train: 0.75, validation: 0.01, test: 0.24}", "{train: 0.8, validation: 0.19, test: 0.01}"


def run(overrides: Sequence[str] = ()) -> list[Figure]:
    """Every share and seed; a child process for each, since trainings take memory."""
    numbers, others = split(overrides, quick=2, seeds=SEEDS, most=SHARES[-1])
    quick = numbers["quick"] == 1
    data, place = shared("banking77"), folder()
    found = []
    for seed in range(numbers["seeds"]):
        rows = write(place / "rows.csv", [*read(data / "train.csv"), *read(data / "test.csv")])
        job = {"rows": str(rows), "seed": seed, "quick": quick, "settings": others, "place": str(place)}
        for share in (one for one in SHARES if one <= numbers["most"]):
            one = foretold(child({**job, "share": share}))
            print(f"  {in_words(one)}", file=sys.stderr, flush=True)
            found.append(one)
    return figures(found, quick)


def folder() -> Path:
    place = Path(os.environ.get("TUNESMITH_FORECAST") or Path(tempfile.gettempdir()) / "tunesmith-forecast").absolute()
    place.mkdir(parents=True, exist_ok=True)
    return place


def child(job: dict[str, Any]) -> dict[str, Any]:
    """What one share of one seed came to; kept in a file, so that it is not made twice."""
    settings = "".join(f"-{one}" for one in job["settings"])
    kind = "quick" if job["quick"] else "tuned"
    kept = Path(job["place"]) / f"{kind}-{job['seed']}-{job['share']}{settings.replace('/', '_')}.json"
    if kept.exists():
        return dict(json.loads(kept.read_text(encoding="utf-8")))
    command = [sys.executable, "-m", "benchmarks.forecast_one", json.dumps(job)]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment(), check=False)
    if ended.returncode != 0:
        raise Failed(f"benchmarks.forecast_one {json.dumps(job)} ended with {ended.returncode}")
    line = ended.stdout.splitlines()[-1]
    temporary = kept.with_suffix(".new")
    temporary.write_text(line, encoding="utf-8")
    temporary.replace(kept)
    return dict(json.loads(line))


def foretold(measured: dict[str, Any]) -> dict[str, Any]:
    """What was measured, with the forecast for all rows (``value``, ``low``, ``high``) and the score ``now``."""
    points = [Point(rows, np.array([float(right) for right in rights])) for rows, rights in measured["points"]]
    forecast = fit(points, seed=measured["seed"]).score(measured["all_rows"])
    now = float(np.mean([point.scores.mean() for point in points if point.rows == measured["rows"]]))
    return {**measured, "now": now, "value": forecast.value, "low": forecast.low, "high": forecast.high}


def figures(found: Sequence[dict[str, Any]], quick: bool) -> list[Figure]:
    """How many intervals held the truth, and how wide they were."""
    held = [one["low"] <= one["truth"] <= one["high"] for one in found]
    widths = [100 * (one["high"] - one["low"]) for one in found]
    off = [100 * (one["value"] - one["truth"]) for one in found]
    kind = "a linear head on frozen embeddings" if quick else "tuned encoder"
    missed = "; ".join(in_words(one) for one, holds in zip(found, held, strict=True) if not holds)
    share = sum(held) / len(held)
    name = f"forecasts whose 95% interval holds the accuracy at 100% ({kind})"
    note = f"{sum(held)} of {len(held)}; missed: {missed or 'none'}"
    return [
        at_least(name, share, "", HOLDS, note),
        Figure("mean width of the intervals", statistics.mean(widths), "points", note=f"at most {max(widths):.1f}"),
        Figure("forecasts off by, mean of sizes", statistics.mean(map(abs, off)), "points"),
        Figure(
            "of always foretelling the accuracy now",
            statistics.mean(100 * abs(one["now"] - one["truth"]) for one in found),
            "points",
            note="what a forecast has to beat",
        ),
    ]


def in_words(one: dict[str, Any]) -> str:
    return (
        f"{one['share']}%, seed {one['seed']} ({one['rows']:,} of {one['all_rows']:,} rows, "
        f"{one['measured']:,} measured): {100 * one['now']:.1f}% now, foretold {100 * one['value']:.1f}% "
        f"({100 * one['low']:.1f} to {100 * one['high']:.1f}), "
        f"true {100 * one['truth']:.1f}% (n = {one['truth_n']:,})"
    )


def drawn(rows: Sequence[Any], share: int, seed: int) -> list[Any]:
    """The first ``share`` per cent of the rows after a seeded shuffle: those of a smaller share are among them."""
    order = list(rows)
    random.Random(seed).shuffle(order)
    return order[: round(len(order) * share / 100)]
