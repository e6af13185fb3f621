"""The store: what was killed leaves nothing behind that a later run would take for its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunesmith.artifact import MANIFEST, Artifact, Store
from tunesmith.errors import InputError


def finish(store: Store, stage: str = "train", id: str = "0123456789abcdef") -> Artifact:
    return store.finish(stage, id, made_by={}, counts={}, seconds=1.0)


def test_a_kill_between_manifest_and_rename_does_not_make_the_next_artifact_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    work = store.begin("train", "0123456789abcdef", resume=True)
    (work / "weights").write_bytes(b"half")

    def killed(self: Path, target: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            finish(store)
    assert (work / MANIFEST).exists()
    (work / ".train.json.1.tmp").write_text("half", encoding="utf-8")

    assert store.begin("train", "0123456789abcdef", resume=True) == work
    (work / "weights").write_bytes(b"whole, and longer")
    artifact = finish(store)
    store.verify(artifact)
    assert store.find("train", artifact.id) == artifact
    assert {path.name for path in artifact.path.iterdir()} == {"weights", MANIFEST}


def test_a_sweep_keeps_the_work_that_a_stage_goes_on_from_and_nothing_else(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for name in ("train-0123456789abcdef", "clean-0123456789abcdef", "damaged-train-0123456789abcdef-7"):
        (store.work / name).mkdir(parents=True)
        (store.work / name / "file").write_text("x", encoding="utf-8")
    (tmp_path / "latest").mkdir()
    (tmp_path / "latest" / "clean").write_text("0123456789abcdef", encoding="utf-8")
    (tmp_path / "latest" / ".clean.7.tmp").write_text("01", encoding="utf-8")
    store.sweep(["train"])
    assert [path.name for path in store.work.iterdir()] == ["train-0123456789abcdef"]
    assert [path.name for path in (tmp_path / "latest").iterdir()] == ["clean"]


def test_a_changed_file_is_found_by_its_size_at_once_and_by_its_hash_when_verified(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (store.begin("clean", "0123456789abcdef") / "rows").write_bytes(b"abc")
    artifact = finish(store, "clean")
    (artifact.path / "rows").write_bytes(b"abd")
    assert store.find("clean", artifact.id) == artifact
    with pytest.raises(InputError, match="not what was written"):
        store.verify(artifact)
    (artifact.path / "rows").write_bytes(b"ab")
    assert store.find("clean", artifact.id) is None
