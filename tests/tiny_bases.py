"""Bases of a few thousand weights, in the form of real ones: a Llama with a chat template and a BERT.

Weights come from numpy's frozen random stream, so that they are the same on every machine.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

CHAT = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def write_llama(folder: Path, seed: int = 0) -> Path:
    """A two-layer Llama of 20,000 weights that reads bytes, with a ChatML template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = ["<|im_end|>", "<|im_start|>", *alphabet]
    tokenizer = Tokenizer(models.BPE({token: number for number, token in enumerate(tokens)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<|im_start|>", eos_token="<|im_end|>", pad_token="<|im_end|>"
    )
    fast.chat_template = CHAT
    fast.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(tokens),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=0,
        pad_token_id=0,
    )
    model = LlamaForCausalLM(config)
    fill(model, seed)
    model.save_pretrained(folder)
    return folder


def write_bert(folder: Path, seed: int = 0) -> Path:
    """A two-layer BERT of 20,000 weights that reads characters."""
    from transformers import BertConfig, BertModel, BertTokenizerFast

    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,;:!?'\"()-/&%$#*+@_=<>[]|"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=256).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=256,
    )
    model = BertModel(config)
    fill(model, seed)
    model.save_pretrained(folder)
    return folder


def fill(model: object, seed: int) -> None:
    """Give every matrix fresh weights: normal numbers of about the size that keeps activations near one."""
    import torch

    random = np.random.RandomState(seed)  # its stream is frozen, unlike that of default_rng
    for parameter in model.parameters():  # type: ignore[attr-defined]
        if parameter.ndim == 2:
            scale = 0.5 / np.sqrt(parameter.shape[1]) if parameter.shape[0] < 200 else 0.3
            values = random.standard_normal(parameter.shape) * scale
            parameter.data = torch.from_numpy(values.astype(np.float32))
