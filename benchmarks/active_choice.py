"""Rows of Banking77 chosen by `tunesmith improve` beside as many drawn at random: accuracy on all official test rows.

Each seed draws some rows to start with; the rest of the training rows is the pool, without labels. A classifier of the
first rows is made by `tunesmith run`, and `tunesmith improve` chooses rows of the pool. Then two projects are run: the
first rows with the chosen ones, and with as many at random. All are trained for few epochs, on every side the same. The
labels of the pool are looked up only when rows are taken.

The same is measured with a logistic head on the frozen encoder instead of the tuned classifier: it takes a minute, and
is told as what it is. Tuned results are kept by seed under TUNESMITH_BENCH_CACHE (or the folder for temporary files),
so that a run that was stopped goes on.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import statistics
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.banking77 import FEW_SPLIT, read, write
from benchmarks.base_model import folder_of
from benchmarks.command import ROOT, made, measure, run_project, shared, tunesmith
from benchmarks.figure import Figure, at_least
from benchmarks.overrides import split
from benchmarks.wrong_labels import rights_of
from tunesmith.example_parquet import read_rows

BAR = 2.0  # points
SETTINGS = """\
version: 1
name: active-choice
goal: {input: text, output: label, labels: LABELS}
base: {model: all-minilm-l6-v2}
collect:
  - {path: train.csv}
clean: {encoder: never}
train: {epochs: 8, refit: false}
"""
#: What the results follow from besides the settings: when it changes, what is kept from before is not used.
CODE = ("tunesmith/similarity/choose_rows.py", "tunesmith/stages/improve/pool.py")

Rows = list[tuple[str, str]]
Result = dict[str, float]  # by side: accuracy in %


def run(overrides: Sequence[str] = ()) -> list[Figure]:
    """Five seeds; ``--set start=300 --set choose=300 --set seeds=5``, ``tuned=1`` seed of them by the tuned classifier;
    the rest of the overrides goes to `tunesmith run`."""
    asked, others = split(overrides, start=300, choose=300, seeds=5, tuned=10**6)
    data = shared("banking77")
    train, test = read(data / "train.csv"), read(data / "test.csv")
    sizes = (asked["start"], asked["choose"])
    head = by_head(train, test, sizes, range(asked["seeds"]))
    found = figures(f"logistic head on the frozen encoder, {sizes[0]} + {sizes[1]} rows", head, bar=None)
    seeds = range(min(asked["seeds"], asked["tuned"]))
    tuned = [kept(train, test, sizes, seed, others) for seed in seeds]
    return [*figures(f"tuned classifier, {sizes[0]} + {sizes[1]} rows", tuned, bar=BAR), *found]


def figures(name: str, results: Sequence[Result], bar: float | None) -> list[Figure]:
    """Means over the seeds, and chosen less random by each."""
    apart = [one["chosen"] - one["random"] for one in results]
    low, high = interval(apart)
    note = f"{len(results)} seeds: {', '.join(f'{one:+.1f}' for one in apart)}; 95% interval {low:+.1f} to {high:+.1f}"
    what, value = f"{name}, chosen less random", statistics.mean(apart)
    ours = (
        at_least(what, value, "points", bar, note, 5) if bar is not None else Figure(what, value, "points", note=note)
    )
    means = {side: statistics.mean(one[side] for one in results) for side in ("start", "random", "chosen")}
    note = f"{means['start']:.1f} % before; n = {int(results[0]['n']):,} each"
    sides = [Figure(f"{name}, {side}, mean accuracy", means[side], "%", note=note) for side in ("chosen", "random")]
    return [ours, *sides]


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Student's 95% interval of the mean over seeds; without bounds for one of them."""
    from scipy.stats import t

    if len(values) < 2:
        return float("-inf"), float("inf")
    half = float(t.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / len(values) ** 0.5
    return statistics.mean(values) - half, statistics.mean(values) + half


def drawn(rows: Rows, start: int, seed: int) -> tuple[Rows, Rows]:
    """The rows to start with, and the pool."""
    shuffled = random.Random(seed).sample(rows, len(rows))
    return shuffled[:start], shuffled[start:]


# by the tuned classifier


def kept(train: Rows, test: Rows, sizes: tuple[int, int], seed: int, overrides: Sequence[str]) -> Result:
    """The result of a seed, from an earlier run where there is one. Each side is kept as soon as it is measured."""
    code = hashlib.sha256(b"".join((ROOT / name).read_bytes() for name in CODE)).hexdigest()
    key = hashlib.sha256(json.dumps([SETTINGS, sizes, seed, list(overrides), code]).encode()).hexdigest()[:12]
    folder = Path(os.environ.get("TUNESMITH_BENCH_CACHE") or tempfile.gettempdir()) / "tunesmith-active-choice"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{seed}-{key}.json"
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def keep(**more: Any) -> None:
        told.update(more)
        path.write_text(json.dumps(told), encoding="utf-8")

    first, pool = drawn(train, sizes[0], seed)
    if "chosen_rows" not in told:
        keep(**choose(first, pool, test, sizes[1], seed, overrides))
    picked = {"chosen": told["chosen_rows"], "random": random.Random(seed + 1000).sample(range(len(pool)), sizes[1])}
    for side, rows in picked.items():
        if side not in told:
            keep(**{side: accuracy([*first, *(pool[at] for at in rows)], test, seed, overrides)})
            print(f"  seed {seed}, {side}: {told[side]:.1f} %", file=sys.stderr, flush=True)
    return {"n": len(test), **{side: told[side] for side in ("start", "random", "chosen")}}


def choose(first: Rows, pool: Rows, test: Rows, count: int, seed: int, overrides: Sequence[str]) -> dict[str, Any]:
    """Train on the first rows, and let `tunesmith improve` choose rows of the pool; their places in it."""
    with tempfile.TemporaryDirectory(prefix="tunesmith-active-") as name:
        folder = project(Path(name), first, pool, seed)
        lines = [json.dumps({"text": text}) + "\n" for text, _ in pool]
        (folder / "pool.jsonl").write_text("".join(lines), encoding="utf-8")
        more = f"improve: {{pool: [pool.jsonl], choose: {count}, hardest: 0}}\n"
        with (folder / "tunesmith.yaml").open("a", encoding="utf-8") as file:
            file.write(more)
        settings = [word for override in overrides for word in ("--set", override)]
        measure(tunesmith("improve", "--project", name, *settings))
        id = (folder / ".tunesmith" / "latest" / "improve").read_text(encoding="utf-8").strip()
        rows = read_rows(folder / ".tunesmith" / "artifacts" / f"improve-{id}" / "rows.parquet")
        places = [int(row["where"].rpartition(":")[2]) - 1 for row in rows if row["item"] == "label"]
        rights = rights_of(folder, test)
        trained = made(folder, "train", "train.json")["facts"]["rows"]
    return {"chosen_rows": places, "start": 100 * statistics.mean(rights), "trained": trained}


def accuracy(rows: Rows, test: Rows, seed: int, overrides: Sequence[str]) -> float:
    """Of a classifier of the rows, on all official test rows, in %."""
    with tempfile.TemporaryDirectory(prefix="tunesmith-active-") as name:
        folder = project(Path(name), rows, rows, seed)
        run_project(folder, overrides)
        return 100 * statistics.mean(rights_of(folder, test))


def project(folder: Path, rows: Rows, others: Rows, seed: int) -> Path:
    """A project of the rows that knows all labels, those that no row has yet too."""
    write(folder / "train.csv", rows)
    labels = sorted({label for _, label in [*rows, *others]})
    settings = SETTINGS.replace("LABELS", json.dumps(labels))
    (folder / "tunesmith.yaml").write_text(f"{settings}{FEW_SPLIT}seed: {seed}\n", encoding="utf-8")
    return folder


# by a logistic head on the frozen encoder


def by_head(train: Rows, test: Rows, sizes: tuple[int, int], seeds: Sequence[int]) -> list[Result]:
    """The same with the product's choice of rows, but a logistic regression on the encoder's vectors as the model."""
    import numpy as np

    from tunesmith.similarity.choose_rows import choose_rows
    from tunesmith.similarity.embeddings import embed

    vectors = embed([text for text, _ in [*train, *test]], folder_of("all-minilm-l6-v2", "label"))
    place = {row: at for at, row in enumerate(train)}
    asked, due = vectors[len(train) :], [label for _, label in test]
    found: list[Result] = []
    for seed in seeds:
        first, pool = ([place[row] for row in part] for part in drawn(train, sizes[0], seed))
        model = fitted(vectors, train, first)
        confidence = model.predict_proba(vectors[pool].astype(np.float32)).max(axis=1)
        chosen = choose_rows(vectors[pool], confidence, sizes[1], known=vectors[first], seed=seed)
        picked: Mapping[str, Sequence[int]] = {
            "start": (),
            "chosen": chosen.tolist(),
            "random": random.Random(seed + 1000).sample(range(len(pool)), sizes[1]),
        }
        right = {}
        for side, rows in picked.items():
            one = fitted(vectors, train, [*first, *(pool[at] for at in rows)])
            right[side] = float(100 * np.mean(one.predict(asked.astype(np.float32)) == np.array(due)))
        found.append({"n": len(test), **right})
        print(f"  head, seed {seed}: {right}", file=sys.stderr, flush=True)
    return found


def fitted(vectors: Any, rows: Rows, chosen: Sequence[int]) -> Any:
    """A logistic regression on the vectors of these rows."""
    import numpy as np
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=10.0, max_iter=100, tol=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(vectors[list(chosen)].astype(np.float32), [rows[at][1] for at in chosen])
    return model
