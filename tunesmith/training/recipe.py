"""The recipe of a training run: every number, chosen from the data where the user left `auto`."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tunesmith.products import EncodedRow
from tunesmith.training.sampler import Sampler, steps_in_epoch
from tunesmith.training.tree_packing import trees
from tunesmith.workers import cores

#: Below this many training rows a classifier is trained anew with the validation rows.
FEW_ROWS = 2000
#: Fewer nodes than this in a tree are not worth a thread: what the trees share is computed in each.
NODES_EACH = 192


@dataclass(frozen=True)
class Recipe:
    """All that a run follows from, besides its rows. Learning rate is the peak; budget is in tokens."""

    learner: str
    method: str
    objective: str
    beta: float
    precision: str
    epochs: float
    steps: int
    batch_size: int
    learning_rate: float
    warmup: float
    weight_decay: float
    max_grad_norm: float
    rank: int
    alpha: int
    dropout: float
    label_smoothing: float
    criterion: str
    refit: bool
    validate_every: int
    patience: int
    checkpoint_seconds: float
    token_budget: int
    workers: int
    seed: int
    words: str


def choose(settings: Any, learner: str, rows: Sequence[EncodedRow], seed: int, machines: int = 1) -> Recipe:
    """Fill in every `auto` of the train settings for these rows, on so many machines like this one.

    The rules: about the same number of optimizer steps is enough for small data whatever its size,
    so passes over it grow as rows get fewer; above that, passes fall towards one.
    """
    auto = _causal_lm(len(rows)) if learner == "causal_lm" else _classifier(len(rows))
    if settings.objective == "dpo":
        # A preference says less than an answer and moves the model further: a tenth of the rate, and one or few passes.
        auto |= {"learning_rate": auto["learning_rate"] / 10, "epochs": min(3, auto["epochs"])}
    method = auto["method"] if settings.method == "auto" else settings.method
    batch_size = _or(settings.batch_size, auto["batch_size"])
    epochs = float(_or(settings.epochs, auto["epochs"]))
    steps = max(1, math.ceil(epochs * steps_in_epoch(len(rows), batch_size)))
    learning_rate = float(_or(settings.learning_rate, auto["learning_rate"] / (10 if _full_lm(learner, method) else 1)))
    precision = settings.precision
    if precision == "auto":
        may = method != "full" or learner == "classifier"
        precision = "bfloat16" if may and fast_bfloat16() else "float32"
    dropout = float(_or(settings.dropout, auto["dropout"]))
    # Inside a network dropout draws from one stream of random numbers; and all weights are many gradients to hold.
    side_by_side = learner == "classifier" or (method != "full" and dropout == 0)
    workers = _workers(rows, batch_size, seed, cores() * machines) if side_by_side else 1
    words = (
        f"{steps:,} steps of {batch_size} rows ({epochs:g} passes over {len(rows):,} rows), "
        f"objective {settings.objective}, method {method}, "
        f"learning rate {learning_rate:g}, products in {precision}"
    )
    return Recipe(
        learner=learner,
        method=method,
        objective=settings.objective,
        beta=settings.beta,
        precision=precision,
        epochs=epochs,
        steps=steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        warmup=settings.warmup,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        rank=settings.rank,
        alpha=settings.alpha,
        dropout=dropout,
        label_smoothing=auto["label_smoothing"],
        criterion=auto["criterion"],
        refit=bool(_or(settings.refit, learner == "classifier" and len(rows) < FEW_ROWS)),
        validate_every=max(1, math.ceil(steps / settings.validations)),
        patience=settings.patience,
        checkpoint_seconds=settings.checkpoint_seconds,
        token_budget=auto["token_budget"],
        workers=workers,
        seed=seed,
        words=words,
    )


def _workers(rows: Sequence[EncodedRow], batch_size: int, seed: int, most: int) -> int:
    """How many threads a step's tokens are enough for, by the first steps; at most one a core, in all processes."""
    sampler = Sampler(rows, batch_size, seed)
    steps = min(4, steps_in_epoch(len(rows), batch_size))
    if sampler.paired:
        drawn = [sum(len(row.tokens) for row in sampler.step(step)) for step in range(steps)]
    else:
        drawn = [sum(len(tree.tokens) for tree in trees(sampler.step(step), 10**9)) for step in range(steps)]
    nodes = statistics.mean(drawn)
    return max(1, min(most, int(nodes // NODES_EACH)))


def _or(value: Any, auto: Any) -> Any:
    return auto if value == "auto" else value


def _full_lm(learner: str, method: str) -> bool:
    return learner == "causal_lm" and method == "full"


def _causal_lm(rows: int) -> dict[str, Any]:
    """LoRA at a high rate: small data wants few rows a step and a few passes."""
    return {
        "method": "lora",
        "batch_size": 8 if rows < 2000 else 16 if rows < 20_000 else 32,
        "epochs": max(1, min(10, round(650 / rows))) if rows < 20_000 else 1,
        "learning_rate": 1e-3 if rows < 2000 else 5e-4,
        "dropout": 0.0,
        "label_smoothing": 0.0,
        "criterion": "loss",
        "token_budget": 512,
    }


def _classifier(rows: int) -> dict[str, Any]:
    """All weights but the word embeddings. Small data gets about 100 steps however few its rows are."""
    batch_size = 64
    enough = round(100 / steps_in_epoch(rows, batch_size))
    return {
        "method": "full",
        "batch_size": batch_size,
        "epochs": max(6 if rows < 30_000 else 3, min(40, enough)),
        "learning_rate": 1e-4 if rows < 2000 else 2e-4,
        "dropout": 0.1,
        "label_smoothing": 0.1,
        "criterion": "accuracy",
        "token_budget": 8192,
    }


def fast_bfloat16() -> bool:
    """Whether bfloat16 products are faster than float32 ones here, by a measurement of a few milliseconds."""
    import time

    import torch

    def seconds(kind: torch.dtype) -> float:
        left, right = torch.ones(512, 512, dtype=kind), torch.ones(512, 512, dtype=kind)
        times = []
        for _ in range(7):
            start = time.perf_counter()
            left @ right
            times.append(time.perf_counter() - start)
        return sorted(times)[3]

    return seconds(torch.bfloat16) < 0.7 * seconds(torch.float32)
