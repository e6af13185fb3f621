"""The job of `trl_sft.py` or `trl_dpo.py` with Tunesmith's training loop, rows in the file's order.

``python -m benchmarks.peers.ours JOB.json`` prints one JSON object. The job's ``dtype`` is the
recipe's precision. Where ``adapter`` does not exist yet, the fresh adapter is written there first;
``tokens`` is where the rows are written as this side trains on them, ``without_head`` for no template.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.peers.memory import megabytes
from tunesmith.example import Message, Source, make_example
from tunesmith.products import BaseModel, EncodedRow, GoalSheet
from tunesmith.threads import be_patient

GOAL = GoalSheet("text", "text", "")


def main(job: dict[str, Any]) -> dict[str, Any]:
    be_patient()
    from tunesmith.learners.causal_lm import load
    from tunesmith.training.preference_trees import preference_trees
    from tunesmith.training.tree_packing import trees

    base = base_of(job)
    rows = encoded(job, base)
    if not rows[0].rejected:
        write_tokens(Path(job["tokens"]), rows)
    recipe = recipe_of(job, rows)
    model = load.prepare(base, GOAL, vars(recipe), rows)
    begin_alike(model.model, Path(job["adapter"]))
    packed = preference_trees if rows[0].rejected else trees
    batches = partial(packed, budget=recipe.token_budget, workers=recipe.workers)
    seconds, losses = train(model, rows, batches, recipe)
    made = [tree for step in steps(rows, job["batch_size"]) for tree in batches(step)]
    return {
        "seconds": seconds,
        "losses": losses,
        "megabytes": megabytes(),
        "tokens": sum(len(row.tokens) + len(row.rejected) for row in rows),
        "nodes": sum(len(tree.tokens) for tree in made),
        "targets": sum(len(tree.target_nodes) for tree in made),
        "budget": recipe.token_budget,
        "workers": recipe.workers,
    }


def base_of(job: dict[str, Any]) -> BaseModel:
    return BaseModel("smollm2", "causal_lm", Path(job["model"]), 0, 2048, "Apache-2.0", ("en",), "", "", "")


def encoded(job: dict[str, Any], base: BaseModel) -> list[EncodedRow]:
    """The rows of the job as the stage `format` encodes them."""
    from tunesmith.learners.causal_lm import encode

    encoder = encode.encoder(base, GOAL, base.context)
    rows = []
    for number, line in enumerate(Path(job["rows"]).read_text(encoding="utf-8").splitlines(), 1):
        row = json.loads(line)
        answer = row.get("completion") or row["chosen"]
        messages = [Message.of(one["role"], one["content"]) for one in [*row["prompt"], *answer]]
        rejected = row["rejected"][0]["content"] if "rejected" in row else None
        found = encoder.encode(make_example(messages, Source("rows", number), rejected=rejected))
        if not isinstance(found, EncodedRow):
            raise SystemExit(f"row {number}: {found.evidence}")
        rows.append(found)
    return without_head(rows) if job.get("without_head") else rows


def without_head(rows: Sequence[EncodedRow]) -> list[EncodedRow]:
    """The rows without the tokens that all of them begin with: the template's."""
    from tunesmith.training.tree_packing import shared_prefix

    head = shared_prefix(min(row.tokens for row in rows), max(row.tokens for row in rows))
    return [
        replace(row, tokens=row.tokens[head:], trained=row.trained[head:], prompt_tokens=row.prompt_tokens - head)
        for row in rows
    ]


def write_tokens(path: Path, rows: Sequence[EncodedRow]) -> None:
    """The rows as a peer can train on the same: token ids, and 1 where the loss looks."""
    lines = ({"input_ids": row.tokens, "completion_mask": [int(one) for one in row.trained]} for row in rows)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def recipe_of(job: dict[str, Any], rows: Sequence[EncodedRow]) -> Any:
    """One epoch with the optimizer settings of the job, and Transformers' defaults where it names none."""
    from tunesmith.stages.train.settings import TrainSettings
    from tunesmith.training.recipe import choose

    settings = TrainSettings(
        method="lora",
        objective="dpo" if rows[0].rejected else "sft",
        beta=job["beta"],
        epochs=1,
        learning_rate=job["learning_rate"],
        batch_size=job["batch_size"],
        rank=job["rank"],
        alpha=job["alpha"],
        warmup=0,
        weight_decay=0,
        precision=job["dtype"],
        checkpoint_seconds=1e9,
    )
    return choose(settings, "causal_lm", rows, 0)


def begin_alike(model: Any, adapter: Path) -> None:
    """Both sides begin with the same adapter: ours is written where there is none yet."""
    from peft import get_peft_model_state_dict, set_peft_model_state_dict
    from safetensors.torch import load_file, save_file

    if not adapter.exists():
        save_file(get_peft_model_state_dict(model), adapter)
    set_peft_model_state_dict(model, load_file(adapter))


def steps(rows: Sequence[EncodedRow], size: int) -> list[list[EncodedRow]]:
    """The rows of each step, in the file's order."""
    return [list(rows[start : start + size]) for start in range(0, len(rows), size)]


def train(model: Any, rows: Sequence[EncodedRow], batches: Any, recipe: Any) -> tuple[float, list[float]]:
    """Seconds of the training, and the loss of each step."""
    from tunesmith.training.loop import Run

    with tempfile.TemporaryDirectory() as folder:
        run = Run(model, rows, [], batches, recipe, Path(folder))
        run.sampler.step = steps(rows, recipe.batch_size).__getitem__  # type: ignore[method-assign]
        began = time.perf_counter()
        losses = [told.data["train_loss"] for told in run if told.kind == "step"]
        return time.perf_counter() - began, losses


if __name__ == "__main__":
    print("\n" + json.dumps(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
