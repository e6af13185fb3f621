"""Every method of training on a tiny base: our run, its rows and its recipe, the same on every machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.tiny_bases import write_bert, write_llama
from tunesmith.learners.causal_lm import load as causal_lm
from tunesmith.learners.classifier import load as classifier
from tunesmith.products import BaseModel, EncodedRow, GoalSheet
from tunesmith.stages.train.settings import TrainSettings
from tunesmith.training.loop import Run
from tunesmith.training.preference_trees import preference_trees
from tunesmith.training.recipe import Recipe, choose
from tunesmith.training.row_batches import row_batches
from tunesmith.training.tree_packing import trees

ROWS = 24
LABELS = ("billing", "delivery", "refund")
BETA = 0.3
#: The settings of each, besides those that all have.
METHODS: dict[str, dict[str, Any]] = {
    "lora": {"method": "lora", "rank": 4, "alpha": 8, "learning_rate": 1e-2},
    "rslora": {"method": "rslora", "rank": 4, "alpha": 8, "learning_rate": 1e-2},
    "dora": {"method": "dora", "rank": 4, "alpha": 8, "learning_rate": 1e-2},
    "full": {"method": "full", "learning_rate": 2e-3},
    "dpo": {"method": "lora", "objective": "dpo", "beta": BETA, "rank": 4, "alpha": 8, "learning_rate": 1e-2},
    "classifier": {"learning_rate": 2e-4},
}


def conversations(preferences: bool = False) -> list[EncodedRow]:
    """Conversations of up to three turns that begin alike: a system prompt, one of three documents, questions."""
    random = np.random.RandomState(7)

    def some(least: int, most: int) -> list[int]:
        return [int(token) for token in random.randint(2, 258, random.randint(least, most + 1))]

    system, documents = some(6, 6), [some(8, 14) for _ in range(3)]
    made = []
    for number in range(ROWS):
        tokens = [1, *system, *documents[number % 3]]
        trained = [False] * len(tokens)
        for _ in range(1 + number % 3):
            question, answer = some(3, 6), [*some(2, 6), 0]
            prompt = len(tokens) + len(question)
            tokens += [*question, *answer]
            trained += [False] * len(question) + [True] * len(answer)
        row = EncodedRow(f"row-{number:02}", tokens, trained, None, (1.0, 0.5, 2.0)[number // 3 % 3], prompt)
        if preferences:
            other = [*some(2, 6), 0]
            row = replace(
                row,
                rejected=[*tokens[:prompt], *other],
                rejected_trained=[*trained[:prompt], *[True] * len(other)],
            )
        made.append(row)
    return made


def texts() -> list[EncodedRow]:
    """Texts with a label each, of which some tokens are more common under it."""
    random = np.random.RandomState(8)
    made = []
    for number in range(ROWS):
        label = number % len(LABELS)
        words = [int(token) for token in random.randint(5, 60, random.randint(4, 20)) + 20 * label]
        tokens = [2, *words, 3]
        made.append(EncodedRow(f"row-{number:02}", tokens, [False] * len(tokens), label, (1.0, 0.5)[number % 2], 5))
    return made


@dataclass(frozen=True)
class Base:
    """The tiny bases, written once."""

    root: Path

    def folder(self, method: str) -> Path:
        name = "bert" if method == "classifier" else "llama"
        if not (self.root / name).exists():
            (write_bert if name == "bert" else write_llama)(self.root / name)
        return self.root / name


def rows_of(method: str) -> list[EncodedRow]:
    return texts() if method == "classifier" else conversations(method == "dpo")


def recipe_of(method: str) -> Recipe:
    """Two epochs of four steps, without dropout, whose random numbers are torch's and differ between its versions."""
    settings = TrainSettings(
        epochs=2, batch_size=6, dropout=0.0, precision="float32", warmup=0.25, validations=1, **METHODS[method]
    )
    learner = "classifier" if method == "classifier" else "causal_lm"
    return replace(choose(settings, learner, rows_of(method), 0), checkpoint_seconds=1e9, workers=2)


def make_run(method: str, base: Base, folder: Path, **changes: Any) -> Run:
    """Our run of a method, from weights that are the same on every machine."""
    recipe = replace(recipe_of(method), **changes)
    rows = rows_of(method)
    kind = "encoder" if method == "classifier" else "causal_lm"
    model_of = BaseModel("tiny", kind, base.folder(method), 0, 512, "Apache-2.0", ("en",), "test", "", "")  # type: ignore[arg-type]
    goal = GoalSheet("text", "label" if method == "classifier" else "text", "Be kind.", LABELS)
    learner: Any = classifier if method == "classifier" else causal_lm
    model = learner.prepare(model_of, goal, asdict(recipe), rows)
    fill_adapters(model.model)
    maker: Any = {"classifier": row_batches, "dpo": preference_trees}.get(method, trees)
    # A budget that cuts a step into several batches.
    batches = partial(maker, budget=100, workers=recipe.workers)
    return Run(model, rows, [], batches, recipe, folder)


def fill_adapters(model: Any) -> None:
    """Give the down-projections of adapters fresh numbers of numpy's frozen stream, in place of torch's."""
    random = np.random.RandomState(3)
    for name, parameter in model.named_parameters():
        if "lora_A" in name:
            values = random.uniform(-1, 1, parameter.shape) / np.sqrt(parameter.shape[1])
            parameter.data = torch.from_numpy(values).to(parameter.dtype)


def losses(run: Run, steps: int) -> list[float]:
    """The training loss of the first steps."""
    return [told.data["train_loss"] for told in _steps(run, steps)]


def _steps(run: Run, steps: int) -> Iterator[Any]:
    for told in run:
        if told.kind == "step":
            yield told
            if told.data["step"] == steps:
                return
