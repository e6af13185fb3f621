"""The test of a training, among all that were made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunesmith.artifact import MANIFEST, Artifact, Store
from tunesmith.products import Report


def last_test(store: Store, train: str) -> Artifact | None:
    """What the stage test made last of the training with this id; None where there is none."""
    ids = [folder.name.removeprefix("test-") for folder in store.artifacts.glob("test-*")]
    found = [test for id in ids if (test := store.find("test", id)) is not None]
    mine = [test for test in found if test.made_by.get("inputs", {}).get("train") == train]
    return max(mine, key=lambda test: float(test.read_json(MANIFEST)["made_at"]), default=None)


def verdict_of(store: Store, made_of: Mapping[str, Any]) -> str | None:
    """The verdict's words of a version that was recorded, also where its test came after that; None without a test."""
    recorded: str | None = made_of["tested"]
    test = None if recorded else last_test(store, made_of.get("artifacts", {}).get("train", ""))
    return str(Report.open(test).verdict.get("words", "")) if test else recorded
