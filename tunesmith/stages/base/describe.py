"""What a model's own files say about it, for bases that are not in the catalogue."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tunesmith.base_folder import count_parameters
from tunesmith.errors import InputError

CAUSAL = ("ForCausalLM", "LMHeadModel")
UNKNOWN_CONTEXT = 512  # tokens, when the files do not say: every model reads that many


@dataclass(frozen=True)
class Description:
    """Read from config.json, the weights' headers and the model card."""

    kind: Literal["causal_lm", "encoder"]
    parameters: int
    context: int
    licence: str
    languages: tuple[str, ...]


def describe(folder: Path) -> Description:
    """Describe the model in the folder. Raises InputError when its kind is not known."""
    config = _read_json(folder / "config.json")
    card = _card(folder / "README.md")
    return Description(
        _kind(config, folder),
        count_parameters(folder),
        _context(config, folder),
        str(card.get("license", "unknown")),
        _languages(card.get("language")),
    )


def _kind(config: dict[str, Any], folder: Path) -> Literal["causal_lm", "encoder"]:
    architectures = [str(name) for name in config.get("architectures") or []]
    if any(name.endswith(CAUSAL) for name in architectures):
        return "causal_lm"
    if config.get("is_encoder_decoder") or not architectures:
        named = ", ".join(architectures) or "none named"
        raise InputError(
            "unsupported_base",
            f"Tunesmith tunes causal language models and text encoders; this one's architecture is: {named}",
            str(folder / "config.json"),
            "choose one with `tunesmith base --list`",
        )
    return "encoder"


def _context(config: dict[str, Any], folder: Path) -> int:
    tokenizer = folder / "tokenizer_config.json"
    limits = [config.get(key) for key in ("max_position_embeddings", "n_positions", "n_ctx")]
    if tokenizer.is_file():
        limits.append(_read_json(tokenizer).get("model_max_length"))
    known = [int(limit) for limit in limits if isinstance(limit, int | float) and 0 < limit < 1e9]
    return min(known, default=UNKNOWN_CONTEXT)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(data, dict):
            raise ValueError("not a mapping")
    except (OSError, ValueError) as error:
        fix = "copy the file again from where it came"
        raise InputError(
            "incomplete_base", f"this file of the base cannot be read ({error})", str(path), fix
        ) from error
    return data


def _card(path: Path) -> dict[str, Any]:
    """The YAML header of a model card; empty when there is none that can be read."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        text = path.read_text(encoding="utf-8")
        header = text.split("---", 2)[1] if text.startswith("---") else ""
        card = YAML(typ="safe", pure=True).load(header)
    except (OSError, ValueError, IndexError, YAMLError):
        return {}
    return card if isinstance(card, dict) else {}


def _languages(value: Any) -> tuple[str, ...]:
    return tuple(str(item) for item in (value if isinstance(value, list) else [value] if value else []))
