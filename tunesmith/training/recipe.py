"""The recipe of a training run: every number, chosen from the data where the user left `auto`."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tunesmith.products import EncodedRow
from tunesmith.training.growth import MOST
from tunesmith.training.sampler import Sampler, steps_in_epoch
from tunesmith.training.tree_packing import trees
from tunesmith.workers import cores

#: Below this many training rows a classifier is trained anew with the validation rows.
FEW_ROWS = 2000
#: Fewer nodes than this in a tree are not worth a thread: what the trees share is computed in each.
NODES_EACH = 192
#: Weights of which each thread may hold gradients of its own.
MANY_PARAMETERS = 50_000_000

#: What all training of a model that knows something already has in common.
_TUNED = {"schedule": "linear", "adam_beta2": 0.999, "weight_decay": 0.01}


@dataclass(frozen=True)
class Recipe:
    """All that a run follows from, besides its rows. Learning rate is the peak; budget is in tokens."""

    learner: str
    method: str
    objective: str
    beta: float
    precision: str
    epochs: float
    grows: bool
    steps: int
    batch_size: int
    learning_rate: float
    warmup: float
    schedule: str
    adam_beta2: float
    weight_decay: float
    max_grad_norm: float
    rank: int
    alpha: int
    dropout: float
    label_smoothing: float
    criterion: Literal["loss", "accuracy"]
    refit: bool
    validate_every: int
    patience: int
    checkpoint_seconds: float
    token_budget: int
    workers: int
    activation_checkpointing: bool
    seed: int
    words: str


def choose(
    settings: Any,
    learner: str,
    rows: Sequence[EncodedRow],
    seed: int,
    fresh_parameters: int | None = None,
    machines: int = 1,
) -> Recipe:
    """Fill in every `auto` of the train settings for these rows, on so many machines like this one.

    ``fresh_parameters``: how many a fresh model has.

    The rules: about the same number of optimizer steps is enough for small data whatever its size,
    so passes over it grow as rows get fewer; above that, passes fall towards one.
    """
    if fresh_parameters is not None:
        auto = fresh_causal_lm(rows, fresh_parameters)
    else:
        auto = _TUNED | (_causal_lm(len(rows)) if learner == "causal_lm" else _classifier(len(rows)))
    if settings.objective == "dpo":
        # A preference says less than an answer and moves the model further: a tenth of the rate, and one or few passes.
        auto |= {"learning_rate": auto["learning_rate"] / 10, "epochs": min(3, auto["epochs"])}
    method = auto["method"] if settings.method == "auto" else settings.method
    batch_size = _or(settings.batch_size, auto["batch_size"])
    epochs = float(_or(settings.epochs, auto["epochs"]))
    steps = max(1, math.ceil(epochs * steps_in_epoch(len(rows), batch_size)))
    # A model from scratch is given as many passes as its text is worth, see `fresh_causal_lm`.
    grows = settings.epochs == "auto" and fresh_parameters is None
    more = f", up to {MOST * epochs:g} while validation gains clearly" if grows else ""
    tuned_whole = learner == "causal_lm" and method == "full" and fresh_parameters is None
    learning_rate = float(_or(settings.learning_rate, auto["learning_rate"] / (10 if tuned_whole else 1)))
    precision = settings.precision
    if precision == "auto":
        may = method != "full" or learner == "classifier"
        precision = "bfloat16" if may and fast_bfloat16() else "float32"
    dropout = float(_or(settings.dropout, auto["dropout"]))
    # Inside a network dropout draws from one stream of random numbers; and all weights are many gradients to hold.
    few = method != "full" or (fresh_parameters or MANY_PARAMETERS) < MANY_PARAMETERS
    side_by_side = learner == "classifier" or (few and dropout == 0)
    workers = _workers(rows, batch_size, seed, cores() * machines) if side_by_side else 1
    words = (
        f"{steps:,} steps of {batch_size} rows ({epochs:g} passes over {len(rows):,} rows{more}), "
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
        grows=grows,
        steps=steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        warmup=settings.warmup,
        schedule=_or(settings.schedule, auto["schedule"]),
        adam_beta2=auto["adam_beta2"],
        weight_decay=float(_or(settings.weight_decay, auto["weight_decay"])),
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
        activation_checkpointing=settings.activation_checkpointing is True,
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


def fresh_causal_lm(rows: Sequence[EncodedRow], parameters: int) -> dict[str, Any]:
    """All weights from nothing: a high rate, many passes, the best step kept.

    A text can be read about four times with nearly the gain of new text, and more often with less and less
    (Muennighoff et al., arXiv 2305.16264): 8 passes over up to a million trained tokens, then fewer; and of little text
    as many as give 300 steps, at most 40. A step has about 500 trained tokens, 4 to 32 rows. AdamW's second average is
    short, since gradients change fast at first.
    """
    tokens = max(1, sum(sum(row.trained) for row in rows))
    batch_size = max(4, min(32, 2 ** round(math.log2(500 * len(rows) / tokens))))
    passes = max(8 * min(1, math.sqrt(1e6 / tokens)), min(40, 300 * batch_size / len(rows)))
    return {
        "method": "full",
        "batch_size": batch_size if len(rows) < 20_000 else 2 * batch_size,
        "epochs": max(1, round(passes)),
        "learning_rate": _rounded(2e-3 * (1e6 / parameters) ** 0.25),
        "dropout": 0.0,
        "label_smoothing": 0.0,
        "criterion": "loss",
        "token_budget": 512,
        "schedule": "cosine",
        "adam_beta2": 0.99,
        "weight_decay": 0.1,
    }


def _rounded(value: float) -> float:
    return float(f"{value:.2g}")


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
