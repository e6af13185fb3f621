"""A causal model small enough for a test, as the training loop sees it. Real code, tiny sizes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from tunesmith.learners.causal_lm.attention import install
from tunesmith.learners.causal_lm.load import CausalLM
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
