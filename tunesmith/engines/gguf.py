"""GGUF files through transformers: turn one into a folder in Hugging Face form.

The weights are dequantized to float32. A GGUF names its pre-tokenizer (`tokenizer.ggml.pre`) and
transformers 5 always builds GPT-2's; where the two differ it is put right here, else the model
would read text that it was never trained on (SmolLM splits every digit off first).
"""

from __future__ import annotations

import errno
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

from tunesmith.errors import InputError


def convert(gguf: Path, folder: Path) -> None:
    """Write the causal language model of a GGUF file to ``folder``: safetensors, tokenizer, template.

    Peak memory is about 8 bytes a parameter. Raises InputError when the file is no such model and
    OSError when the disk is full.
    """
    import torch
    import transformers

    place: dict[str, Any] = {"gguf_file": gguf.name}
    with _quiet(transformers), _disk_full_as_os_error(folder), _reading_once():
        metadata = read_metadata(gguf)
        tokenizer = transformers.AutoTokenizer.from_pretrained(gguf.parent, **place)
        _restore_pre_tokenizer(tokenizer, metadata)
        if hasattr(transformers, "GgufConfig"):  # earlier versions always dequantize
            place["quantization_config"] = transformers.GgufConfig(dequantize=True)
        model = transformers.AutoModelForCausalLM.from_pretrained(gguf.parent, dtype=torch.float32, **place)
        _forget_quantization(model)
        tokenizer.model_max_length = model.config.max_position_embeddings
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


def read_metadata(gguf: Path) -> dict[str, Any]:
    """The named fields of a GGUF file, without its tensors and its long lists."""
    from gguf import GGUFReader

    try:
        reader = GGUFReader(gguf)
    except (ValueError, OSError, IndexError) as error:
        raise InputError(
            "not_gguf",
            f"this is not a whole GGUF file ({error})",
            str(gguf),
            "run `tunesmith base --refetch`",
        ) from error
    return {name: field.contents() for name, field in reader.fields.items() if len(field.data) <= 16}


def _restore_pre_tokenizer(tokenizer: Any, metadata: dict[str, Any]) -> None:
    """Split digits before the GPT-2 pattern, as llama.cpp's LLAMA_VOCAB_PRE_TYPE_SMOLLM does."""
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence

    if metadata.get("tokenizer.ggml.pre") == "smollm":
        byte_level = ByteLevel(add_prefix_space=False, use_regex=True)
        tokenizer.backend_tokenizer.pre_tokenizer = Sequence([Digits(individual_digits=True), byte_level])


def _forget_quantization(model: Any) -> None:
    """The weights are plain float32 now; a left-over quantization block would make loaders look for blocks."""
    model.hf_quantizer = None
    model.is_quantized = False
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Keep transformers' progress bars and warnings out of the user's terminal, and put all back after."""
    from transformers import modeling_gguf_pytorch_utils as reader  # its bar ignores disable_progress_bar

    logging, bar = transformers.utils.logging, getattr(reader, "tqdm", None)
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    if bar is not None:
        reader.tqdm = partial(bar, disable=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(level)
        if bar is not None:
            reader.tqdm = bar
        if bars:
            logging.enable_progress_bar()


@contextmanager
def _reading_once() -> Iterator[None]:
    """Let transformers read the file's header once, not for each of its questions, and build the table of tensor
    names once, not for each module: two thirds of a small model's conversion went there."""
    import gguf

    kept = {name: getattr(gguf, name) for name in ("GGUFReader", "get_tensor_name_map")}
    for name, original in kept.items():
        setattr(gguf, name, cache(original))
    try:
        yield
    finally:
        for name, original in kept.items():
            setattr(gguf, name, original)


@contextmanager
def _disk_full_as_os_error(folder: Path) -> Iterator[None]:
    """safetensors reports a full disk as an error of its own; the rest of Tunesmith knows OSError."""
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as error:
        if "os error 28" in str(error).lower() or "no space left" in str(error).lower():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder)) from error
        raise
