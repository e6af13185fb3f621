"""Which test of a training counts: the last one, however the ids of all of them sort."""

from __future__ import annotations

from pathlib import Path

from tunesmith.artifact import Store
from tunesmith.pipeline.tested import last_test


def made(store: Store, id: str, train: str) -> None:
    store.begin("test", id)
    store.finish("test", id, made_by={"inputs": {"train": train}}, counts={}, seconds=0.0)


def test_the_test_that_was_made_last_of_a_training_counts(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert last_test(store, "mine") is None
    for id, train in (("5", "mine"), ("9", "mine"), ("1", "mine"), ("7", "another")):
        made(store, id, train)
    found = last_test(store, "mine")
    assert found is not None
    assert found.id == "1"
    assert last_test(store, "a third") is None
