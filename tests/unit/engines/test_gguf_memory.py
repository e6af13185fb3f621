"""As many answers at once as their keys and values have memory for."""

from __future__ import annotations

from typing import Any

import pytest

from tunesmith.engines import gguf_memory
from tunesmith.engines.gguf_memory import FEWEST, MOST, key_value_bytes, streams_for

SMOLLM2 = {
    "general.architecture": "llama",
    "llama.block_count": 30,
    "llama.embedding_length": 576,
    "llama.attention.head_count": 9,
    "llama.attention.head_count_kv": 3,
}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, 30 * 2 * 3 * 64 * 4 * 4096),
        ({"llama.attention.key_length": 128, "llama.attention.value_length": 32}, 30 * 3 * 160 * 4 * 4096),
        ({"llama.attention.head_count_kv": [3] * 10 + [0] * 20}, 10 * 2 * 3 * 64 * 4 * 4096),
    ],
)
def test_bytes_of_keys_and_values(more: dict[str, Any], expected: int) -> None:
    assert key_value_bytes({**SMOLLM2, **more}, 4096) == expected


def test_streams_grow_with_the_free_memory(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(gguf_memory, "read_metadata", lambda gguf: SMOLLM2)
    each = key_value_bytes(SMOLLM2, 4096)
    found = [streams_for(tmp_path, 4096, 6 * each * many + 6) for many in (0, 3, 7, 12, 16, 100)]
    assert found == [FEWEST, FEWEST, 7, 12, MOST, MOST]
