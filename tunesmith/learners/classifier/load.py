"""Load a classifier: an encoder with a fresh head to train, or the tuned model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, dropout

from tunesmith.errors import InputError
from tunesmith.learners.classifier.encode import load_tokenizer
from tunesmith.learners.classifier.export import save_model
from tunesmith.learners.classifier.loss import supervised_contrast
from tunesmith.learners.classifier.network import Network, fresh, start_at_class_means
from tunesmith.learners.gradients import add_gradients, kept_bytes
from tunesmith.learners.own_layers import narrow_products
from tunesmith.learners.protocol import Outcome, Peers, RowBatch, RowOutcome, together
from tunesmith.products import BaseModel, EncodedRow, GoalSheet
from tunesmith.workers import Workers

#: The head begins almost from nothing and may move faster than the encoder.
HEAD_RATE = 5.0
#: Rows on which our own encoder layers are held against transformers'.
TRIED = 3


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
    network = fresh(base.folder, goal.labels, tokenizer.pad_token_id)
    # A word that the rows never use must keep its meaning: its embedding is not moved.
    network.model.get_input_embeddings().weight.requires_grad_(False)
    model = Classifier(network, base, goal, recipe, rows)
    start_at_class_means(network, rows, model.features)
    model.checkpoint_activations(recipe["activation_checkpointing"])
    return model


def _labels_and_weights(rows: Sequence[EncodedRow]) -> tuple[Tensor, Tensor]:
    return torch.tensor([row.label for row in rows]), torch.tensor([row.weight for row in rows])


def _outcome(logits: Tensor, rows: Sequence[EncodedRow]) -> Outcome:
    """How logits [B, C] do on these rows: cross-entropy without label smoothing."""
    labels, _ = _labels_and_weights(rows)
    losses = cross_entropy(logits, labels, reduction="none").tolist()
    hits = (logits.argmax(1) == labels).tolist()
    found = [RowOutcome(loss, float(hit)) for loss, hit in zip(losses, hits, strict=True)]
    pairs = list(zip(found, rows, strict=True))
    return Outcome(
        sum(one.loss * row.weight for one, row in pairs),
        sum(one.right * row.weight for one, row in pairs),
        sum(row.weight for row in rows),
        {row.id: one for one, row in pairs},
    )


class Classifier:
    """A classifier as the training loop sees it (see learners/protocol.py: Trainable)."""

    def __init__(
        self, network: Network, base: BaseModel, goal: GoalSheet, recipe: Mapping[str, Any], rows: Sequence[EncodedRow]
    ) -> None:
        self.network = network
        self.model = network.model
        self.base = base
        self.goal = goal
        self.recipe = recipe
        self.mixed = recipe["precision"] == "bfloat16"
        network.use_own_layers(rows[:TRIED], getattr(torch, recipe["precision"]))

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

    def _forward(self, rows: Sequence[EncodedRow]) -> tuple[Tensor, Tensor]:
        """Logits [B, C] and features [B, F]."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.mixed):
            return self.network.forward(rows)

    def features(self, batches: Sequence[Sequence[EncodedRow]]) -> Iterator[Tensor]:
        """The features [B, F] of each batch of rows, before training."""

        @torch.no_grad()
        def of_batch(rows: Sequence[EncodedRow]) -> Tensor:
            return self._forward(rows)[1]

        with narrow_products(self.mixed), Workers(self.recipe.get("workers", 1)) as workers:
            yield from workers.map(of_batch, batches)

    def gradients(self, batches: Sequence[RowBatch], weight: float, workers: Workers, peers: Peers) -> Outcome:
        """The rows of all batches are contrasted with each other, whichever batch and process they are in.

        The features of each batch are computed side by side; the head and the loss, in the first process, see
        them together; and the gradients that the loss gives the features go back through each batch, side by
        side again.
        """
        self.network.ready()
        with narrow_products(self.mixed):
            return self._gradients(batches, weight, workers, peers)

    def _gradients(self, batches: Sequence[RowBatch], weight: float, workers: Workers, peers: Peers) -> Outcome:
        parts = [batch.rows for batch in peers.share(batches)]
        features = [found for _, found in workers.map(self._forward, parts)]  # [B, F] each
        none = torch.empty(0, self.network.head.in_features)
        every = torch.cat(peers.gather(torch.cat([none, *(found.detach() for found in features)]))).requires_grad_()
        to_features = torch.empty_like(every)
        head = list(self.network.head.parameters())
        outcome = together([])
        if peers.first:
            rows = [row for batch in batches for row in batch.rows]
            loss, outcome = self._loss(every, rows, weight)
            to_features, *to_head = torch.autograd.grad(loss, [every, *head])
            add_gradients(head, to_head)
        peers.broadcast(to_features)
        ids = set(map(id, head))
        encoder = [parameter for _, parameter in self._named() if id(parameter) not in ids]

        def back(part: tuple[Tensor, Tensor]) -> Sequence[Tensor | None]:
            return torch.autograd.grad(part[0], encoder, part[1], allow_unused=True)

        to_batches = to_features.split_with_sizes([len(batch.rows) for batch in batches])
        for found in workers.map(back, list(zip(features, peers.share(to_batches), strict=True))):
            add_gradients(encoder, found)
        return outcome

    def _loss(self, features: Tensor, rows: Sequence[EncodedRow], weight: float) -> tuple[Tensor, Outcome]:
        """The mean loss to be minimised for features [B, F], and the outcome with these features."""
        labels, weights = _labels_and_weights(rows)
        features = dropout(features, self.recipe["dropout"], self.model.training)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.mixed):
            logits = self.network.head(features).float()  # [B, C]
        losses = cross_entropy(logits, labels, reduction="none", label_smoothing=self.recipe["label_smoothing"])
        loss = (losses * weights).sum() / weight + supervised_contrast(features, labels)
        return loss, _outcome(logits.detach(), rows)

    @torch.no_grad()
    def measure(self, batch: RowBatch) -> Outcome:
        return _outcome(self._forward(batch.rows)[0], batch.rows)

    def kept_bytes(self, batch: RowBatch) -> int:
        return kept_bytes(lambda: self._forward(batch.rows), self.model)

    def checkpoint_activations(self, on: bool) -> bool:
        return self.network.checkpoint_activations(on)

    def trained_state(self) -> dict[str, Tensor]:
        return {name: parameter.detach() for name, parameter in self._named()}

    def load_trained_state(self, state: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            for name, parameter in self._named():
                parameter.copy_(state[name])

    def train(self, on: bool = True) -> None:
        self.model.train(on)
        self.network.ready()

    def save(self, folder: Path) -> None:
        save_model(self.model, self.base, self.goal, self.recipe, folder)
