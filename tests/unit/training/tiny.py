"""Models small enough for a test, as the training loop sees them. Real code, tiny sizes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from tunesmith.learners.causal_lm.attention import install
from tunesmith.learners.causal_lm.load import CausalLM
from tunesmith.learners.classifier.load import Classifier
from tunesmith.learners.classifier.network import Network
from tunesmith.products import BaseModel, EncodedRow, GoalSheet
from tunesmith.stages.train.settings import TrainSettings
from tunesmith.training.recipe import Recipe, choose

VOCABULARY = 48


def rows(count: int, seed: int = 0) -> list[EncodedRow]:
    """Rows that follow a rule (the answer repeats the prompt's tokens), after a shared prefix."""
    generator = torch.Generator().manual_seed(seed)
    made = []
    for number in range(count):
        prompt = torch.randint(4, VOCABULARY, (5,), generator=generator).tolist()
        tokens = [1, 2, *prompt, 3, *prompt, 0]
        trained = [False] * 8 + [True] * 6
        made.append(EncodedRow(f"row-{seed}-{number}", tokens, trained, None, 1.0, 8))
    return made


def trainable(seed: int = 0, dropout: float = 0.0, precision: str = "float32") -> CausalLM:
    """A fresh two-layer Llama, trained whole."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        attention_dropout=dropout,
        tie_word_embeddings=True,
    )
    model = LlamaForCausalLM(config)
    install(model)
    base = BaseModel("tiny", "causal_lm", Path(), 0, 64, "Apache-2.0", ("en",), "test", "", "")
    settings = {"method": "full", "precision": precision, "dropout": 0.0, "activation_checkpointing": False}
    return CausalLM(model, base, GoalSheet("text", "text", ""), settings, rows(1))


def recipe(count: int, **changes: object) -> Recipe:
    """A recipe of a few steps for these rows."""
    settings = TrainSettings(method="full", epochs=3, learning_rate=2e-2, batch_size=8, precision="float32")
    return replace(choose(settings, "causal_lm", rows(count), 0), **changes)


def labelled_rows(count: int, seed: int = 0) -> list[EncodedRow]:
    """Rows whose label is the token that they hold most of, of unequal lengths."""
    generator = torch.Generator().manual_seed(seed)
    made = []
    for number in range(count):
        label = number % 3
        length = int(torch.randint(3, 12, (1,), generator=generator))
        tokens = [2, *torch.where(torch.rand(length, generator=generator) < 0.6, 10 + label, 20).tolist(), 3]
        made.append(EncodedRow(f"row-{seed}-{number}", tokens, [False] * len(tokens), label, 1.0, len(tokens)))
    return made


def classifier(seed: int = 0, dropout: float = 0.1, precision: str = "float32") -> Classifier:
    """A fresh two-layer BERT with a head for three labels; dropout before the head."""
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=64,
        num_labels=3,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    model = BertForSequenceClassification(config)
    base = BaseModel("tiny", "encoder", Path(), 0, 64, "Apache-2.0", ("en",), "test", "", "")
    settings = {"method": "full", "precision": precision, "dropout": dropout, "label_smoothing": 0.1}
    goal = GoalSheet("text", "label", "", ("a", "b", "c"))
    return Classifier(Network(model, 0), base, goal, settings, labelled_rows(3))
