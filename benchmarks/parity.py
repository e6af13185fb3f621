"""Exported models beside the trained ones: the three example projects, and Banking77 as a chat.

Each is trained once in a folder of the cache, and trained again when its files, its settings or Tunesmith changed. All
test rows are replayed (`--set rows=20`: fewer). Bounds are opened, so that a form is told of and not refused.

The f32 file has the very numbers of the f16 one (tests/recipes/test_export.py holds the two together): what llama.cpp
answers from it is what `tunesmith serve` answers from the f16 file: weights of 16 bits, arithmetic of 32. What the f16
file answers by itself is what other programs answer from it, so it is held to the same bars.
"""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.command import ROOT, environment, measure, shared, tunesmith
from benchmarks.figure import Failed, Figure, Skipped, at_least, at_most
from benchmarks.overrides import numbers

SAME = 0.99
TIE = 0.001
LOSS = 0.005
OPEN = "\nexport: {same_answers_at_least: 0, score_loss_at_most: 1}\n"
CHATS = ("support-desk", "brand-voice")
LABELS = "ticket-routing"
BANKING = """\
version: 1
name: banking77-chat
goal:
  input: text
  output: text
  system: Name the intent of the customer's message.
  success: [{metric: exact_match, at_least: 0.5}]
base: {model: smollm2-135m-instruct}
collect: [{path: rows.csv, input: text, output: category}]
train: {epochs: 1}
"""
BANKING_NAME = "banking77-chat"
EACH = 20  # rows of an intent: 1,540 in all, a tenth of them tested


def run(overrides: Sequence[str] = ()) -> list[Figure]:
    """All test rows of every project; ``--set rows=20`` replays fewer, ``--set each=5`` takes fewer of Banking77's.

    ``--set only=1`` to 4 takes one project: support-desk, brand-voice, ticket-routing, Banking77.
    ``--set smaller=0`` leaves forms of 8 bits and fewer out.
    """
    asked = numbers(overrides, rows=1_000_000, each=EACH, only=0, smaller=1)
    rows, smaller = asked["rows"], bool(asked["smaller"])
    jobs: list[Callable[[], list[Figure]]] = [
        *(partial(lambda name: of_chat(name, trained(example(name)), rows, smaller), name) for name in CHATS),
        lambda: of_labels(LABELS, trained(example(LABELS)), rows),
        lambda: of_chat(BANKING_NAME, trained(banking(asked["each"])), rows, smaller),
    ]
    figures: list[Figure] = []
    for number, job in enumerate(jobs, 1):
        if asked["only"] in (0, number):
            try:
                figures += job()
            except Skipped as why:
                print(why, file=sys.stderr)
    return figures


def place(name: str) -> Path:
    from tunesmith import Project

    folder = Project(ROOT).cache / "benchmarks" / "parity" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def example(name: str) -> Path:
    """A copy of an example project, what was made there before kept."""
    folder = place(name)
    for path in (ROOT / "examples" / name).iterdir():
        if path.is_file() and path.name != "tunesmith.lock":
            shutil.copyfile(path, folder / path.name)
    opened(folder)
    return folder


def banking(each: int) -> Path:
    """Banking77's intents as words that a chat answers with: the first rows of each intent."""
    folder, seen = place(BANKING_NAME), dict[str, int]()
    with (shared("banking77") / "train.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    kept = []
    for row in rows:
        seen[row["category"]] = seen.get(row["category"], 0) + 1
        if seen[row["category"]] <= each:
            kept.append({"text": row["text"], "category": row["category"].replace("_", " ")})
    with (folder / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ("text", "category"))
        writer.writeheader()
        writer.writerows(kept)
    (folder / "tunesmith.yaml").write_text(BANKING, encoding="utf-8")
    opened(folder)
    return folder


def opened(folder: Path) -> None:
    file = folder / "tunesmith.yaml"
    file.write_text(file.read_text(encoding="utf-8") + OPEN, encoding="utf-8")


def trained(folder: Path) -> Path:
    measure(tunesmith("run", "--to", "train", "--project", str(folder)))
    return folder


def told(folder: Path, rows: int, *words: str) -> Any:
    """What `tunesmith export` tells as JSON."""
    command = tunesmith("export", "--project", str(folder), "--json", "--rows", str(rows), *words)
    done = subprocess.run(command, stdout=subprocess.PIPE, env=environment(), check=False)
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)} ended with {done.returncode}")
    return json.loads(done.stdout)


def of_chat(name: str, folder: Path, rows: int, smaller: bool = True) -> list[Figure]:
    """What is served, and the f16 file by itself, beside the trained model, and what each smaller form loses."""
    tried = {one["form"]: one for one in told(folder, rows, "--shrink")["tried"]} if smaller else {}
    half = tried.get("gguf-f16") or told(folder, rows, "--to", "gguf")
    served = told(folder, rows, "--to", "gguf", "--precision", "f32")
    figures = [*same(f"{name}, f16 weights as served", served), *same(f"{name}, f16 file by itself", half)]
    for precision in ("q8_0", "q5_1", "q4_1") if smaller else ():
        found = loss(f"{name}, gguf {precision}", tried[f"gguf-{precision}"])
        figures.append(found if precision == "q8_0" else replace(found, bar="", met=None))
    return figures


def of_labels(name: str, folder: Path, rows: int) -> list[Figure]:
    """The classifier as ONNX, in float32 and with 8 bits."""
    exact = told(folder, rows, "--to", "onnx")
    return [
        *same(f"{name}, onnx float32", exact),
        loss(f"{name}, onnx int8", told(folder, rows, "--to", "onnx", "--precision", "int8")),
    ]


def same(name: str, found: Any) -> list[Figure]:
    """Prompts and answers that are equal, and the differences that a tie explains."""
    rows, gaps = found["rows"], sorted(one["gap"] for one in found["differences"])
    ties = sum(gap <= TIE for gap in gaps)
    moved = found["shifts"] or {"percentile_99": 0.0, "largest": 0.0}
    note = (
        f"gaps in logits: {', '.join(f'{gap:.4f}' for gap in gaps) or 'none'}; log probabilities moved by at most "
        f"{moved['largest']:.4f}, 99% by {moved['percentile_99']:.4f}"
    )
    unexplained = len(gaps) - found["explained"]
    return [
        at_least(
            f"{name}: prompts with the same token ids", found["prompts_equal"] / rows, "of all", 1.0, f"n = {rows}"
        ),
        at_least(f"{name}: equal greedy answers", found["answers_equal"] / rows, "of all", SAME, f"n = {rows}"),
        at_most(f"{name}: differences that are no tie within {TIE}", len(gaps) - ties, "rows", 0, note),
        at_most(f"{name}: differences that rounding does not explain either", unexplained, "rows", 0),
    ]


def loss(name: str, found: Any) -> Figure:
    """What the form loses on the goal's first metric."""
    score = next(score for score in found["scores"] if score["bound"])
    note = f"95% interval {score['low']:+.3f} to {score['high']:+.3f}, n = {score['n']}"
    return at_most(f"{name}: loss of {score['metric']}", score["loss"], "", LOSS, note)
