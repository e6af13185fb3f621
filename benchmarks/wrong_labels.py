"""Wrong labels: a tenth of Banking77's training labels shuffled; how many of them are found, and what mending brings.

The shuffled rows are found by the stage `clean` in a project of the noisy training rows alone. What mending brings is
measured on the official test rows, which stay as they are: a tuned classifier of the noisy rows, and one of the rows
that `clean.fix: [wrong_label]` has mended, answer the same rows.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.banking77 import read, write
from benchmarks.command import environment, made, measure, run_project, shared, tunesmith
from benchmarks.figure import Failed, Figure, at_least
from benchmarks.overrides import numbers
from benchmarks.peers import environment as peers
from tunesmith.example_parquet import read_rows
from tunesmith.scoring.intervals import wilson

SHARE = 0.1
SEED = 11
#: cleanlab rounds each cell of the calibrated joint to whole rows.
APART = 0.02
RECALL, PRECISION = 80.0, 60.0  # %
SETTINGS = """\
version: 1
name: wrong-labels
goal: {input: text, output: label}
base: {model: all-minilm-l6-v2}
collect:
  - {path: train.csv}
"""
TESTED = "  - {path: test.csv, part: test}\n"
FIX = "clean: {fix: [label_spelling, wrong_label]}\n"

Rows = list[tuple[str, str]]


def run(overrides: Sequence[str] = ()) -> list[Figure]:
    """All training rows; ``--set rows=2000`` takes some of them, ``--set tuned=1500`` tunes on some of these."""
    data = shared("banking77")
    asked = numbers(overrides, rows=10**6, tuned=10**6)
    true = some(read(data / "train.csv"), asked["rows"])
    noisy, planted = shuffled(true)
    figures = found(noisy, planted, true)
    return [*figures, *mending(some(noisy, asked["tuned"]), read(data / "test.csv"))]


def some(rows: list[Any], count: int) -> list[Any]:
    """So many of the rows at random, the same ones each time."""
    return rows if count >= len(rows) else random.Random(SEED + 1).sample(rows, count)  # not those that are shuffled


def shuffled(rows: Rows) -> tuple[Rows, set[int]]:
    """The rows with the labels of a tenth of them dealt out anew, and the numbers of those that got another."""
    draw = random.Random(SEED)
    chosen = draw.sample(range(len(rows)), round(SHARE * len(rows)))
    labels = [rows[at][1] for at in chosen]
    draw.shuffle(labels)
    noisy = list(rows)
    for at, label in zip(chosen, labels, strict=True):
        noisy[at] = (rows[at][0], label)
    return noisy, {at for at in chosen if noisy[at] != rows[at]}


def found(noisy: Rows, planted: set[int], true: Rows) -> list[Figure]:
    """What `tunesmith clean` flags, held against what was planted."""
    with tempfile.TemporaryDirectory(prefix="tunesmith-wrong-labels-") as name:
        folder = project(Path(name), noisy, SETTINGS)
        measured = measure(tunesmith("clean", "--project", name))
        # by their order: a row's place is its line in the file, and some rows have line breaks in them
        place = {
            row["id"]: at for at, row in enumerate(read_rows(artifact(folder, "collect") / "examples.parquet", ["id"]))
        }
        lines = [row for row in read_rows(artifact(folder) / "ledger.parquet") if row["code"] == "wrong_label"]
        seconds = made(folder, "clean")["seconds"]
        agreed = beside_cleanlab(artifact(folder), noisy, place)
    flagged = {place[line["id"]] for line in lines}
    hits = flagged & planted
    named = sum(f'rows like it are "{true[place[line["id"]]][1]}"' in line["evidence"] for line in lines)
    recall, precision = proportion(len(hits), len(planted)), proportion(len(hits), len(flagged))
    return [
        at_least("wrong labels found", recall[0], "%", RECALL, recall[1]),
        at_least("precision of what is flagged", precision[0], "%", PRECISION, precision[1]),
        Figure("flagged rows told their true label", 100 * named / max(1, len(lines)), "%", note=f"of {len(lines):,}"),
        *agreed,
        Figure("time of the stage clean", seconds, "s", note=f"{len(noisy):,} rows, {measured.megabytes:,.0f} MB"),
    ]


def proportion(hits: int, n: int) -> tuple[float, str]:
    """In percent, and a note with n and the interval."""
    low, high = wilson(hits, n) if n else (0.0, 1.0)
    return 100 * hits / max(1, n), f"{hits:,} of {n:,}, 95% interval {100 * low:.1f} to {100 * high:.1f} %"


def project(folder: Path, rows: Rows, settings: str, test: Rows | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    write(folder / "train.csv", rows)
    if test is not None:
        write(folder / "test.csv", test)
    (folder / "tunesmith.yaml").write_text(settings, encoding="utf-8")
    return folder


def artifact(folder: Path, stage: str = "clean") -> Path:
    root = folder / ".tunesmith"
    return root / "artifacts" / f"{stage}-{(root / 'latest' / stage).read_text(encoding='utf-8').strip()}"


def beside_cleanlab(clean: Path, noisy: Rows, place: dict[str, int]) -> list[Figure]:
    """How many errors ours and cleanlab estimate from the same predictions."""
    import numpy as np

    from tunesmith.stages.clean.out_of_fold import predict
    from tunesmith.stages.clean.wrong_label import estimated_errors

    packed = list(read_rows(clean / "embeddings.parquet", ["id", "vector"]))
    vectors = np.stack([np.frombuffer(row["vector"], np.float16) for row in packed])
    values = [noisy[place[row["id"]]][1] for row in packed]
    ours = predict(vectors, values, np.zeros(len(values), np.bool_))
    if ours is None:
        return []
    with tempfile.TemporaryDirectory(prefix="tunesmith-cleanlab-") as name:
        np.savez(Path(name) / "in.npz", labels=ours.labels, probabilities=ours.probabilities)
        command = [str(peers.python("cleanlab")), "-m", "benchmarks.peers.cleanlab_errors", f"{name}/in.npz"]
        ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment(), check=False)
    if ended.returncode != 0:
        raise Failed(f"{' '.join(command)} ended with {ended.returncode}")
    theirs, mine = int(ended.stdout), estimated_errors(ours)
    met = abs(mine - theirs) <= APART * theirs
    return [Figure("errors estimated by ours", mine, "rows", f"{theirs:,} ± 2%, as by cleanlab", met)]


def mending(noisy: Rows, test: Rows) -> list[Figure]:
    """A classifier of the noisy rows, and one of the mended rows, on the same true test rows."""
    import numpy as np

    from tunesmith.scoring.paired import difference
    from tunesmith.scoring.statistic import Mean

    rights = {}
    for name, more in (("noisy", "clean: {flag: []}\n"), ("mended", FIX)):
        with tempfile.TemporaryDirectory(prefix=f"tunesmith-{name}-") as temporary:
            folder = project(Path(temporary), noisy, SETTINGS + TESTED + more, test)
            run_project(folder, ())
            rights[name] = rights_of(folder, test)
        print(f"  {name}: {100 * np.mean(rights[name]):.1f} % of {len(test):,} rows", file=sys.stderr, flush=True)
    left, right = (Mean(np.array(rights[name], dtype=float)) for name in ("mended", "noisy"))
    apart = difference("accuracy", ("mended", left), ("noisy", right))
    note = f"n = {apart.n:,}, 95% interval {100 * apart.low:+.1f} to {100 * apart.high:+.1f}, rows in pairs; "
    figures = [
        Figure(f"tuned on {len(noisy):,} {name} rows, accuracy", *proportion_of(values))
        for name, values in rights.items()
    ]
    value, met = 100 * apart.value, apart.low > 0
    note += f"p = {apart.p:.2g}"
    return [*figures, Figure("mended less noisy", value, "points", "interval above 0", met, note)]


def proportion_of(values: Sequence[bool]) -> tuple[float, str, str, None, str]:
    value, note = proportion(sum(values), len(values))
    return value, "%", "", None, note


def rights_of(folder: Path, test: Rows) -> list[bool]:
    """Whether the tuned model is right, for each official test row."""
    from tunesmith import Project
    from tunesmith.example import Message
    from tunesmith.plugins import learner

    opened = Project.open(folder)
    goal, base, tuned = (opened.product(stage) for stage in ("goal", "base", "train"))
    prompts = [(Message.of("user", text),) for text, _ in test]
    answers = learner(tuned.learner).predict.predict("tuned", base, goal, tuned, prompts)
    return [answer.text == label for answer, (_, label) in zip(answers, test, strict=True)]
