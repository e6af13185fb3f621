"""A tokenizer of the user's own text: byte-level BPE with a chat template of one token a turn.

Byte-pair encoding (Sennrich et al., arXiv 1508.07909) over bytes (Radford et al., "Language Models are
Unsupervised Multitask Learners", 2019, section 2.2): every text can be written, there is no unknown token.
Digits stand alone, so that numbers are read figure by figure.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

#: All single bytes; what is above them is learned.
BYTES = 256
PAD, START, END = "<|pad|>", "<|start|>", "<|end|>"
TURNS = ("<|system|>", "<|user|>", "<|assistant|>", "<|tool|>")
SPECIAL = (PAD, START, END, *TURNS)
#: A pair of pieces that is seen once is no pattern.
SEEN_AT_LEAST = 2

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> Any:
    """A tokenizer with at most ``vocabulary`` tokens, special ones included, made of the texts.

    The same texts give the same tokenizer. Fewer tokens come of it where the texts have no more pairs to join.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=SEEN_AT_LEAST,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def save_tokenizer(tokenizer: Any, context: int, folder: Path) -> None:
    """Write the tokenizer in the form that transformers loads, with its chat template and special tokens."""
    from transformers import PreTrainedTokenizerFast

    whole = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=START,
        eos_token=END,
        pad_token=PAD,
        model_max_length=context,
        model_input_names=["input_ids", "attention_mask"],
        clean_up_tokenization_spaces=False,
    )
    whole.chat_template = CHAT_TEMPLATE
    whole.save_pretrained(folder)
