"""Which files of a repository or wheel make a model; all else (ONNX copies, pickles, code) is left behind."""

from __future__ import annotations

from fnmatch import fnmatchcase

PATTERNS = (
    "config.json",
    "generation_config.json",
    "model*.safetensors",
    "model.safetensors.index.json",
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "chat_template.jinja",
    "modules.json",
    "config_sentence_transformers.json",
    "sentence_bert_config.json",
    "1_Pooling/config.json",
    "README.md",
    "LICENSE*",
)


def wanted(name: str) -> bool:
    """Whether the file of that relative path belongs to the model."""
    return any(fnmatchcase(name, pattern) and name.count("/") == pattern.count("/") for pattern in PATTERNS)
