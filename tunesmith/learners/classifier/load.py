"""Load a classifier: an encoder with a fresh head to train, or the tuned model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from tunesmith.errors import InputError
from tunesmith.learners.classifier.encode import load_tokenizer
from tunesmith.learners.classifier.export import save_model
from tunesmith.learners.classifier.loss import supervised_contrast
from tunesmith.learners.classifier.network import Network, fresh, start_at_class_means
from tunesmith.learners.protocol import RowBatch
from tunesmith.products import BaseModel, EncodedRow, GoalSheet

#: The head begins almost from nothing and may move faster than the encoder.
HEAD_RATE = 5.0


def load_tuned(folder: Path, pad_token: int) -> Network:
    """The tuned classifier in evaluation mode, in float32."""
    from transformers import AutoModelForSequenceClassification
    from transformers.utils import logging

    logging.disable_progress_bar()
    model = AutoModelForSequenceClassification.from_pretrained(
        folder, local_files_only=True, use_safetensors=True, dtype=torch.float32
    )
    return Network(model.eval(), pad_token)


def prepare(base: BaseModel, goal: GoalSheet, recipe: Mapping[str, Any], rows: Sequence[EncodedRow]) -> Classifier:
    """The encoder with a head that starts at the class means of ``rows``, ready for training."""
    if recipe["method"] != "full":
        raise InputError(
            "method_not_served",
            f"an encoder is tuned whole; method {recipe['method']!r} is for causal language models",
            "tunesmith.yaml: train.method",
            "set train.method: auto",
        )
    torch.manual_seed(recipe["seed"])
    tokenizer = load_tokenizer(base.folder)
    network = fresh(base.folder, goal.labels, tokenizer.pad_token_id, recipe["dropout"])
    # A word that the rows never use must keep its meaning: its embedding is not moved.
    network.model.get_input_embeddings().weight.requires_grad_(False)
    start_at_class_means(network, rows)
    return Classifier(network, base, goal, recipe)


class Classifier:
    """A classifier as the training loop sees it (see learners/protocol.py: Trainable)."""

    def __init__(self, network: Network, base: BaseModel, goal: GoalSheet, recipe: Mapping[str, Any]) -> None:
        self.network = network
        self.model = network.model
        self.base = base
        self.goal = goal
        self.recipe = recipe
        self.mixed = recipe["precision"] == "bfloat16"

    def _named(self) -> list[tuple[str, torch.nn.Parameter]]:
        return [(name, parameter) for name, parameter in self.model.named_parameters() if parameter.requires_grad]

    def parameter_groups(self, learning_rate: float, weight_decay: float) -> list[dict[str, Any]]:
        head = set(map(id, self.network.head.parameters()))
        groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
        for _, parameter in self._named():
            rate = learning_rate * (HEAD_RATE if id(parameter) in head else 1.0)
            decay = weight_decay if parameter.ndim >= 2 else 0.0
            groups.setdefault((rate, decay), []).append(parameter)
        return [{"params": group, "lr": rate, "weight_decay": decay} for (rate, decay), group in groups.items()]

    def _forward(self, batch: RowBatch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Logits [B, C], features [B, F], labels [B] and weights [B]."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.mixed):
            logits, features = self.network.forward(batch.rows)
        labels = torch.tensor([row.label for row in batch.rows])
        weights = torch.tensor([row.weight for row in batch.rows])
        return logits, features, labels, weights

    def loss(self, batch: RowBatch) -> tuple[Tensor, float]:
        logits, features, labels, weights = self._forward(batch)
        losses = cross_entropy(logits, labels, reduction="none", label_smoothing=self.recipe["label_smoothing"])
        told = (cross_entropy(logits.detach(), labels, reduction="none") * weights).sum().item()
        return (losses * weights).sum() + supervised_contrast(features, labels) * batch.weight, told

    @torch.no_grad()
    def measure(self, batches: Sequence[RowBatch]) -> dict[str, float]:
        self.train(False)
        total = right = weight = 0.0
        for batch in batches:
            logits, _, labels, weights = self._forward(batch)
            total += (cross_entropy(logits, labels, reduction="none") * weights).sum().item()
            right += ((logits.argmax(1) == labels) * weights).sum().item()
            weight += batch.weight
        self.train(True)
        return {"loss": total / weight, "accuracy": right / weight}

    def trained_state(self) -> dict[str, Tensor]:
        return {name: parameter.detach() for name, parameter in self._named()}

    def load_trained_state(self, state: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            for name, parameter in self._named():
                parameter.copy_(state[name])

    def train(self, on: bool = True) -> None:
        self.model.train(on)

    def save(self, folder: Path) -> None:
        save_model(self.model, self.base, self.goal, self.recipe, folder)
