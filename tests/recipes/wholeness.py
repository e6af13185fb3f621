"""What must hold of a project that was killed and run again until it ended."""

from __future__ import annotations

from pathlib import Path

from tunesmith import Project
from tunesmith.artifact import Artifact, Store, sha256_of
from tunesmith.example_parquet import read_rows
from tunesmith.pipeline.order import BY_NAME, ON_REQUEST


def artifacts_of(project: Path) -> list[Artifact]:
    """Every folder under .tunesmith/artifacts, as its artifact. Fails when one is not whole."""
    store = Store(project / ".tunesmith")
    found = []
    for folder in sorted(store.artifacts.glob("*")):
        stage, _, id = folder.name.rpartition("-")
        artifact = store.find(stage, id)
        assert artifact is not None, f"{folder.name} has no manifest, or files of another size"
        store.verify(artifact)
        listed = artifact.read_json("manifest.json")["files"]
        there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        assert there == {*listed, "manifest.json"}
        found.append(artifact)
    return found


def assert_whole(project: Path) -> None:
    """Every stage is made and verifies, nothing is left over, and the ledger adds up."""
    status = Project.open(project).status()
    made = sorted(BY_NAME.keys() - ON_REQUEST)
    assert {stage.stage: stage.state for stage in status if stage.stage not in ON_REQUEST} == dict.fromkeys(
        made, "made"
    )
    assert sorted(artifact.kind for artifact in artifacts_of(project)) == made
    assert list((project / ".tunesmith" / "work").iterdir()) == []
    assert [path.name for path in (project / ".tunesmith").rglob(".*")] == []
    assert_ledger_adds_up(project)


def assert_ledger_adds_up(project: Path) -> None:
    """Recompute in = kept + merged + set aside from the files' rows: each collected id is in exactly one."""
    store = Store(project / ".tunesmith")
    collected, cleaned = store.latest("collect"), store.latest("clean")
    assert collected is not None
    assert cleaned is not None
    came = ids(collected.path / "examples.parquet")
    went = {name: ids(cleaned.path / f"{name}.parquet") for name in ("examples", "merged", "set_aside")}
    assert len(set(came)) == len(came) > 0
    assert sorted(came) == sorted(id for part in went.values() for id in part)
    told = cleaned.counts
    assert (told["in"], told["kept"], told["merged"], told["set_aside"]) == (len(came), *map(len, went.values()))
    assert told["kept"] > told["merged"] > 0
    assert told["set_aside"] > 0


def ids(path: Path) -> list[str]:
    return [row["id"] for row in read_rows(path, ["id"])]


def weights_of(project: Path) -> str:
    """The sha256 of the tuned model's weights."""
    artifact = Store(project / ".tunesmith").latest("train")
    assert artifact is not None
    return sha256_of(artifact.path / "model" / "model.safetensors")
