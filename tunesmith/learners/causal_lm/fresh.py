"""A fresh model: a Llama of a wanted size with random weights, and a tokenizer made of the user's text."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

from tunesmith.artifact import sha256_of
from tunesmith.errors import InputError
from tunesmith.learners.causal_lm.byte_level_bpe import END, PAD, START, save_tokenizer, train_tokenizer
from tunesmith.learners.causal_lm.shape import Shape, shape_for

#: Standard deviation of fresh weights (GPT-2 and most since).
SPREAD = 0.02
#: A model is this much larger than it was asked to be at most: a large vocabulary alone can need more.
LARGER_AT_MOST = 1.5
ENDS = {"bos_token_id": START, "eos_token_id": END, "pad_token_id": PAD}


@dataclass(frozen=True)
class Fresh:
    """What was made. ``tokenizer_sha256`` is that of tokenizer.json."""

    shape: Shape
    tokenizer_sha256: str


def make(folder: Path, texts: Iterable[str], *, parameters: int, vocabulary: int, context: int, seed: int) -> Fresh:
    """Write tokenizer and model into ``folder`` in the form that transformers loads.

    ``parameters`` and ``vocabulary`` are about what comes out; the shape says what did. The same texts,
    numbers and seed give the same files. Raises InputError ``model_too_small``.
    """
    tokenizer = train_tokenizer(texts, vocabulary)
    shape = shape_for(parameters, tokenizer.get_vocab_size())
    if shape.parameters > LARGER_AT_MOST * parameters:
        raise InputError(
            "model_too_small",
            f"a vocabulary of {shape.vocabulary:,} needs a model of at least {shape.parameters:,} parameters, "
            f"and {parameters:,} are asked for",
            "tunesmith.yaml: base.parameters",
            "ask for more parameters, or a smaller base.vocabulary",
        )
    save_tokenizer(tokenizer, context, folder)
    save_model(shape, {name: tokenizer.token_to_id(token) for name, token in ENDS.items()}, context, seed, folder)
    return Fresh(shape, sha256_of(folder / "tokenizer.json"))


def save_model(shape: Shape, ends: dict[str, int | None], context: int, seed: int, folder: Path) -> None:
    """Write a Llama with random weights, in float32.

    Weights are normal with a standard deviation of 0.02; those that are added to the residual stream are
    divided by sqrt(2 layers), so that it does not grow with depth (GPT-2, section 2.3).
    """
    from transformers import LlamaConfig, LlamaForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    config = LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=context,
        initializer_range=SPREAD,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        **ends,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    with torch.no_grad():
        for layer in model.model.layers:
            for into_residual in (layer.self_attn.o_proj, layer.mlp.down_proj):
                into_residual.weight.div_(math.sqrt(2 * shape.layers))
    model.save_pretrained(folder, safe_serialization=True)
