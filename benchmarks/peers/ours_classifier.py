"""Train a classifier with Tunesmith's loop, and answer the test rows as a user's model does.

``python -m benchmarks.peers.ours_classifier JOB.json`` prints one JSON object. The job: ``model`` folder (an encoder),
``train`` and ``test`` (JSONL with ``text`` and ``label``), ``batch_size``, ``epochs``, ``learning_rate``.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.peers.memory import megabytes
from tunesmith.example import Message, Source, make_example
from tunesmith.products import BaseModel, EncodedRow, GoalSheet, TunedModel
from tunesmith.threads import be_patient


def main(job: dict[str, Any]) -> dict[str, Any]:
    """``seconds`` count from a fresh model to the trained one; texts are tokens by then, as on the other side."""
    be_patient()
    from tunesmith.learners.classifier import load, predict
    from tunesmith.stages.train.settings import TrainSettings
    from tunesmith.training.loop import Run
    from tunesmith.training.recipe import choose
    from tunesmith.training.row_batches import row_batches

    train, test = read(job["train"]), read(job["test"])
    goal = GoalSheet("text", "label", "", labels=tuple(sorted({row["label"] for row in [*train, *test]})))
    base = BaseModel("encoder", "encoder", Path(job["model"]), 0, 512, "Apache-2.0", ("en",), "", "", "")
    rows = encoded(train, base, goal)
    asked = {name: job[name] for name in ("batch_size", "epochs", "learning_rate")}
    recipe = choose(TrainSettings(**asked, refit=False, checkpoint_seconds=1e9), "classifier", rows, seed=0)
    batches = partial(row_batches, budget=recipe.token_budget, workers=recipe.workers)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        began = time.perf_counter()
        model = load.prepare(base, goal, vars(recipe), rows)
        losses = [
            told.data["train_loss"] for told in Run(model, rows, [], batches, recipe, folder) if told.kind == "step"
        ]
        seconds = time.perf_counter() - began
        peak = megabytes()
        model.save(folder / "model")
        tuned = TunedModel(folder / "model", "classifier", vars(recipe), (), {}, {})
        answers = predict.predict("tuned", base, goal, tuned, [(Message.of("user", row["text"]),) for row in test])
    right = [int(answer.text == row["label"]) for answer, row in zip(answers, test, strict=True)]
    return {"seconds": seconds, "losses": losses, "megabytes": peak, "right": right}


def read(path: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def encoded(rows: list[dict[str, str]], base: BaseModel, goal: GoalSheet) -> list[EncodedRow]:
    """The rows as the stage `format` encodes them."""
    from tunesmith.learners.classifier import encode

    encoder = encode.encoder(base, goal, base.context)
    found = []
    for number, row in enumerate(rows, 1):
        messages = [Message.of("user", row["text"]), Message.of("assistant", row["label"])]
        one = encoder.encode(make_example(messages, Source("train", number)))
        if not isinstance(one, EncodedRow):
            raise SystemExit(f"row {number}: {one.evidence}")
        found.append(one)
    return found


if __name__ == "__main__":
    print("\n" + json.dumps(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
