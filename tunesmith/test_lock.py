"""The lock of the test part: a hash that `split` writes and `test` computes again before it measures."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from tunesmith.example import Example


def test_lock(examples: Iterable[Example]) -> str:
    """Hex sha256 over the sorted lines ``id content_id`` of the examples; their order does not matter."""
    return lock_of((example.id, example.content_id) for example in examples)


def lock_of(rows: Iterable[tuple[str, str]]) -> str:
    """The same over pairs of id and content id."""
    lines = sorted(f"{id} {content_id}\n" for id, content_id in rows)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
