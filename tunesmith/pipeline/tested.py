"""The test of a training, among all that were made."""

from __future__ import annotations

from tunesmith.artifact import MANIFEST, Artifact, Store


def last_test(store: Store, train: str) -> Artifact | None:
    """What the stage test made last of the training with this id; None where there is none."""
    ids = [folder.name.removeprefix("test-") for folder in store.artifacts.glob("test-*")]
    found = [test for id in ids if (test := store.find("test", id)) is not None]
    mine = [test for test in found if test.made_by.get("inputs", {}).get("train") == train]
    return max(mine, key=lambda test: float(test.read_json(MANIFEST)["made_at"]), default=None)
