"""An encoder with a classification head, as transformers' own sequence classifiers are built.

Shapes: B rows, S tokens of the longest row, F features that enter the head, C labels.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import accumulate, groupby
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, one_hot

from tunesmith.learners.classifier.encoder_layer import Layer, first_states, layers_of
from tunesmith.learners.classifier.packed_rows import pack
from tunesmith.learners.fast_linear import use_fast_linears
from tunesmith.learners.gradients import checkpoint_activations
from tunesmith.learners.own_layers import agree
from tunesmith.products import EncodedRow
from tunesmith.threads import give_memory_back

#: How much larger the mean of the token states is than the first token's own, in the pooling layer.
MEAN_SCALE = 30.0
#: The fresh pooler's scale: small enough that tanh stays nearly linear.
POOLER_SCALE = 0.3
#: How peaked the head is before training: the logit of a row that lies on its class's mean.
PROTOTYPE_SCALE = 10.0
#: About as many tokens are computed together when features are found before training: the same sizes again and again.
MEANS_AT_ONCE = 2048

#: Gives the features [B, F] of each batch of rows.
Features = Callable[[Sequence[Sequence[EncodedRow]]], Iterable[Tensor]]


class Network:
    """``model`` is an AutoModelForSequenceClassification; ``head`` is its last linear layer.

    ``layers``: our own encoder layers, where `use_own_layers` found that they give what transformers' code gives.
    """

    def __init__(self, model: Any, pad_token: int) -> None:
        self.model = model
        self.pad_token = pad_token
        self.head = _head(model)
        self._seen = threading.local()  # what entered the head, for each of the threads that compute side by side
        self.head.register_forward_pre_hook(self._keep)
        self.layers: list[Layer] | None = None

    def _keep(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self._seen.features = inputs[0]

    def forward(self, rows: Sequence[EncodedRow]) -> tuple[Tensor, Tensor]:
        """Logits [B, C] and the features that enter the head [B, F], in float32."""
        if self.layers is not None:
            features = self._features(rows, self.layers)
            return wide(self.head(features)), wide(features)
        ids, seen = pad([row.tokens for row in rows], self.pad_token)
        logits = self.model(input_ids=ids, attention_mask=seen).logits
        features = self._seen.features
        return wide(logits), wide(features)

    def _features(self, rows: Sequence[EncodedRow], layers: Sequence[Layer]) -> Tensor:
        """Features [B, F] of rows side by side, by our own layers."""
        bert = self.model.base_model
        packed = pack([row.tokens for row in rows], self.pad_token)
        states = first_states(bert, layers, packed)
        if not torch.is_autocast_enabled("cpu"):
            states = states.to(bert.pooler.dense.weight.dtype)
        pooled: Tensor = bert.pooler(states[:, None])
        return pooled

    @torch.no_grad()
    def use_own_layers(self, rows: Sequence[EncodedRow], dtype: torch.dtype) -> None:
        """Take our own encoder layers, with products in ``dtype``, if this model has their form and they give what
        transformers' give for these rows, in the dtype of its weights."""
        if self.model.config.model_type != "bert" or self.head is not getattr(self.model, "classifier", None):
            return
        own = self.head.weight.dtype
        layers = layers_of(self.model.base_model, own)
        if layers is None or not rows:
            return
        theirs = self.forward(rows)[1]
        ours = self._features(rows, [layer.ready() for layer in layers])
        if agree(ours, theirs, own):
            self.layers = [layer.in_dtype(dtype).ready() for layer in layers]

    def to_predict(self, rows: Sequence[EncodedRow]) -> None:
        """Make it as fast as it can be at a few rows of unequal length; it can then predict, and nothing else.

        ``rows``: some, on which our own layers are held against transformers'. Other models keep transformers' code.
        """
        self.use_own_layers(rows, torch.float32)
        if self.layers is None:
            use_fast_linears(self.model)
            return
        self.layers = [layer.to_predict() for layer in self.layers]
        del self.model.base_model.encoder.layer  # their weights are in our layers, or copied by them
        give_memory_back()

    def ready(self) -> None:
        """Cast what is trained as it is now."""
        if self.layers is not None:
            self.layers = [layer.ready() for layer in self.layers]

    def checkpoint_activations(self, on: bool) -> bool:
        """Keep the inputs of layers alone for the gradient; returns whether the model can."""
        if self.layers is None:
            return checkpoint_activations(self.model, on)
        self.layers = [replace(layer, checkpointed=on) for layer in self.layers]
        return True


def wide(tensor: Tensor) -> Tensor:
    """In float32 at least."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def pad(rows: Sequence[Sequence[int]], pad_token: int) -> tuple[Tensor, Tensor]:
    """Token ids and attention mask, both int64 [B, S]."""
    longest = max(len(row) for row in rows)
    ids = torch.full((len(rows), longest), pad_token)
    seen = torch.zeros(len(rows), longest, dtype=torch.long)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = torch.tensor(row)
        seen[index, : len(row)] = 1
    return ids, seen


def _head(model: Any) -> nn.Linear:
    layers = [
        layer
        for layer in model.modules()
        if isinstance(layer, nn.Linear) and layer.out_features == model.config.num_labels
    ]
    return layers[-1]


def fresh(folder: Path, labels: Sequence[str], pad_token: int) -> Network:
    """The encoder in ``folder`` with a new head for these labels, without dropout.

    Inside a small encoder dropout slows learning from few rows; that in front of the head is made with the loss.
    """
    from transformers import AutoConfig, AutoModelForSequenceClassification
    from transformers.utils import logging

    logging.disable_progress_bar()
    before = logging.get_verbosity()
    logging.set_verbosity_error()  # that the head is new is the point
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        pooled = config.model_type == "bert"
        layers = {"num_hidden_layers": config.num_hidden_layers + 1} if pooled else {}
        model = AutoModelForSequenceClassification.from_pretrained(
            folder,
            num_labels=len(labels),
            id2label=dict(enumerate(labels)),
            label2id={label: number for number, label in enumerate(labels)},
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            classifier_dropout=0.0,
            local_files_only=True,
            use_safetensors=True,
            dtype=torch.float32,
            attn_implementation="eager",  # on short rows its few small products are faster than the fused kernel
            **layers,
        )
    finally:
        logging.set_verbosity(before)
    if pooled:
        add_mean_pooling(model.base_model)
    return Network(model, pad_token)


@torch.no_grad()
def add_mean_pooling(bert: Any) -> None:
    """Make the last layer and the pooler of a BERT give the mean of the token states of the layer below.

    Sentence encoders are trained to say what a text means by the mean of its token states, but
    transformers' classifiers read the first token alone. A layer of BERT's own form can take the
    mean: with queries of zero the first token attends to all tokens alike, values and output are
    multiples of the identity, large against the residual, and the feed-forward part adds nothing.
    Its layer norm then yields the normalised mean, and the pooler passes it on, scaled so that tanh
    stays nearly linear. So the tuned folder is a plain BertForSequenceClassification.
    """
    layer = bert.encoder.layer[-1]
    width = bert.config.hidden_size
    attention = layer.attention
    for linear in (attention.self.query, attention.self.key, attention.self.value, attention.output.dense):
        linear.weight.zero_()
        linear.bias.zero_()
    attention.self.value.weight.copy_(torch.eye(width))
    attention.output.dense.weight.copy_(torch.eye(width) * MEAN_SCALE)
    layer.output.dense.weight.zero_()
    layer.output.dense.bias.zero_()
    for norm in (attention.output.LayerNorm, layer.output.LayerNorm):
        norm.weight.fill_(1.0)
        norm.bias.zero_()
    bert.pooler.dense.weight.copy_(torch.eye(width) * POOLER_SCALE)
    bert.pooler.dense.bias.zero_()


@torch.no_grad()
def start_at_class_means(network: Network, rows: Sequence[EncodedRow], features_of: Features) -> None:
    """Set the head so that a row's logits are its closeness to each class's mean feature.

    A nearest-mean classifier is where training starts, in place of random numbers. ``features_of`` gives the features
    [B, F] of each batch of rows.
    """
    network.model.eval()
    ordered = sorted(rows, key=lambda row: len(row.tokens))
    ends = accumulate(len(row.tokens) for row in ordered)
    batches = [
        [row for row, _ in pairs]
        for _, pairs in groupby(zip(ordered, ends, strict=True), key=lambda pair: pair[1] // MEANS_AT_ONCE)
    ]
    features = torch.cat(list(features_of(batches)))  # (N, F)
    labels = torch.tensor([row.label for row in ordered])  # (N,)
    members = one_hot(labels, network.head.out_features).float()  # (N, C)
    means = (members.T @ features) / members.sum(0).clamp(min=1)[:, None]  # (C, F)
    centre = features.mean(0)  # (F,)
    spread = (features - centre).norm(dim=1).mean().clamp(min=1e-6)
    weight = PROTOTYPE_SCALE * normalize(means - centre, dim=1) / spread  # (C, F)
    weight[members.sum(0) == 0] = 0.0
    network.head.weight.copy_(weight)
    if network.head.bias is not None:
        network.head.bias.copy_(-(weight @ centre))
    network.model.train()
