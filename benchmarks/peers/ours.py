"""The same job as `trl_sft.py` or `trl_dpo.py` with Tunesmith's training loop, rows in the file's order.

``python -m benchmarks.peers.ours JOB.json`` prints one JSON object. The job's ``dtype`` is the
recipe's precision. Where ``adapter`` does not exist yet, the fresh adapter is written there first.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from tunesmith.threads import be_patient


def main(job: dict[str, Any]) -> dict[str, Any]:
    be_patient()
    import torch
    from peft import get_peft_model_state_dict, set_peft_model_state_dict
    from safetensors.torch import load_file, save_file

    from tunesmith.example import Message, Source, make_example
    from tunesmith.learners.causal_lm import encode, load
    from tunesmith.products import BaseModel, EncodedRow, GoalSheet
    from tunesmith.stages.train.settings import TrainSettings
    from tunesmith.training.loop import Run
    from tunesmith.training.preference_trees import preference_trees
    from tunesmith.training.recipe import choose
    from tunesmith.training.tree_packing import trees

    class InOrder(Run):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self.sampler.step = self._in_order  # type: ignore[method-assign]

        def _in_order(self, step: int) -> list[EncodedRow]:
            size = self.recipe.batch_size
            return list(self.sampler.rows[step * size : (step + 1) * size])

    base = BaseModel("smollm2", "causal_lm", Path(job["model"]), 0, 2048, "Apache-2.0", ("en",), "", "", "")
    goal = GoalSheet("text", "text", job.get("system", ""))
    encoder = encode.encoder(base, goal, 2048)
    rows: list[EncodedRow] = []
    for number, line in enumerate(Path(job["rows"]).read_text(encoding="utf-8").splitlines(), 1):
        row = json.loads(line)
        answer = row.get("completion") or row["chosen"]
        messages = [Message.of(one["role"], one["content"]) for one in [*row["prompt"], *answer]]
        rejected = row["rejected"][0]["content"] if "rejected" in row else None
        encoded = encoder.encode(make_example(messages, Source("rows", number), rejected=rejected))
        if not isinstance(encoded, EncodedRow):
            raise SystemExit(f"row {number}: {encoded.evidence}")
        rows.append(encoded)
    if "tokens" in job and not rows[0].rejected:
        lines = ({"input_ids": row.tokens, "completion_mask": [int(one) for one in row.trained]} for row in rows)
        Path(job["tokens"]).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    settings = TrainSettings(
        method="lora",
        objective="dpo" if rows[0].rejected else "sft",
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
    recipe = choose(settings, "causal_lm", rows, 0)
    model = load.prepare(base, goal, vars(recipe), rows)
    adapter = Path(job["adapter"])
    if not adapter.exists():
        save_file(get_peft_model_state_dict(model.model), adapter)
    set_peft_model_state_dict(model.model, load_file(adapter))
    with tempfile.TemporaryDirectory() as folder:
        packed = preference_trees if rows[0].rejected else trees
        batches = partial(packed, budget=recipe.token_budget, workers=recipe.workers)
        run = InOrder(model, rows, [], batches, recipe, Path(folder))
        began = time.perf_counter()
        losses = [told.data["train_loss"] for told in run if told.kind == "step"]
        seconds = time.perf_counter() - began
    nodes = [len(tree.tokens) for step in range(recipe.steps) for tree in batches(run.sampler.step(step))]
    targets = [len(tree.target_nodes) for step in range(recipe.steps) for tree in batches(run.sampler.step(step))]
    return {
        "seconds": seconds,
        "losses": losses,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1_000_000,
        "tokens": sum(len(row.tokens) for row in rows),
        "nodes": sum(nodes),
        "targets": sum(targets),
        "workers": recipe.workers,
        "torch": torch.__version__,
    }


if __name__ == "__main__":
    print("\n" + json.dumps(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
