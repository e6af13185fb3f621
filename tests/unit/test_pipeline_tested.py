"""Which test of a training counts: the last one, however the ids of all of them sort."""

from __future__ import annotations

from pathlib import Path

from tunesmith.artifact import Store, write_json
from tunesmith.pipeline.tested import last_test, verdict_of


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


def test_a_version_that_was_recorded_before_its_test_has_the_verdict_of_it(tmp_path: Path) -> None:
    store = Store(tmp_path)
    untested = {"tested": None, "artifacts": {"train": "mine"}}
    assert verdict_of(store, untested) is None
    report = {"scores": {}, "differences": [], "verdict": {"words": "Ship."}, "facts": {}}
    write_json(store.begin("test", "1") / "test.json", report)
    store.finish("test", "1", made_by={"inputs": {"train": "mine"}}, counts={}, seconds=0.0)
    assert verdict_of(store, untested) == "Ship."
    assert verdict_of(store, {**untested, "tested": "as it was"}) == "as it was"
    assert verdict_of(store, {**untested, "artifacts": {"train": "another"}}) is None
