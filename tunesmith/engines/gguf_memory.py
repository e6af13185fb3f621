"""How many answers llama.cpp may write at once: each has memory of its own, for the keys and values of its tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tunesmith.engines.gguf import read_metadata

#: Answers at once. Few are always had; beyond about 16 a processor gains nothing from more.
FEWEST, MOST = 4, 16
#: The share of the free memory that keys and values may take.
SHARE = 1 / 6
#: Bytes of a number: keys and values are held in float32 (llamacpp_child.py).
NUMBER_BYTES = 4


def streams_for(gguf: Path, context: int, free: int) -> int:
    """Answers at once for a model with ``context`` tokens each, where ``free`` bytes of memory are free.

    A step of the engine reads all weights once, whether it writes one token with them or sixteen.
    """
    each = key_value_bytes(read_metadata(gguf), context)
    return max(FEWEST, min(MOST, int(free * SHARE) // max(1, each)))


def key_value_bytes(metadata: dict[str, Any], context: int) -> int:
    """Bytes of the keys and values of ``context`` tokens, by the GGUF's fields (of sliding windows the whole)."""
    family = metadata["general.architecture"]

    def of(name: str, default: Any = 0) -> Any:
        return metadata.get(f"{family}.{name}", default)

    heads = of("attention.head_count", 1)
    shared = of("attention.head_count_kv", heads)
    total = sum(shared) if isinstance(shared, list) else shared * of("block_count")
    size = of("embedding_length") // (max(heads) if isinstance(heads, list) else heads)
    widths = of("attention.key_length", size) + of("attention.value_length", size)
    return int(context * total * widths * NUMBER_BYTES)
