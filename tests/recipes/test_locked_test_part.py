"""What trains never reads the test part: with garbage in its place the model is the same, bit for bit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.recipes.small_project import write_project
from tests.recipes.wholeness import artifacts_of, ids, weights_of
from tunesmith import Project
from tunesmith.artifact import MANIFEST, Artifact, Store, sha256_of
from tunesmith.errors import TestPartLocked
from tunesmith.example import Message, messages_to_json
from tunesmith.pipeline import stale
from tunesmith.pipeline.order import BY_NAME, Stage, open_product
from tunesmith.pipeline.stale import identity
from tunesmith.products import BaseModel, Splits

GARBAGE = "zyx"
Row = dict[str, Any]


@pytest.fixture(scope="module")
def divided(tmp_path_factory: pytest.TempPathFactory, minilm: BaseModel, bases_cache: Path) -> Path:
    """The small project, made up to the split."""
    folder = write_project(tmp_path_factory.mktemp("locked") / "divided", checkpoint_seconds=3600)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNESMITH_CACHE", str(bases_cache))
        Project.open(folder).run(to="split")
    return folder


@pytest.fixture(scope="module")
def weights(divided: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The weights that come of the project as it is."""
    return trained(divided, tmp_path_factory.mktemp("locked") / "as it is")


def trained(divided: Path, folder: Path, part: str = "", rows: int | None = None) -> str:
    """Train a copy of the project in which the first ``rows`` of a part hold garbage; the weights' sha256."""
    shutil.copytree(divided, folder)
    if part:
        spoil(folder, part, rows)
    before = {"clean": latest(divided, "clean")}

    def as_it_was(needed: str, artifact: Artifact, stage: Stage) -> str:
        """What trains depends on the content of the kept rows; here it must not see that this has changed."""
        return identity(needed, before.get(needed, artifact), stage)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stale, "identity", as_it_was)
        result = Project.open(folder).run(to="train", overrides={"train.epochs": 1})
    assert result.made == ["train"]
    return weights_of(folder)


def spoil(project: Path, part: str, rows: int | None) -> None:
    """Overwrite the content of a part's rows in what `clean` and `format` made, and sign the files anew."""
    store = Store(project / ".tunesmith")
    clean, dataset, split = (folder_of(store, stage) for stage in ("clean", "format", "split"))
    chosen = ids(split / f"{part}.parquet")[:rows]
    assert chosen
    assert rewrite(clean / "examples.parquet", chosen, spoil_example) == len(chosen)
    assert rewrite(dataset / "rows.parquet", chosen, spoil_row) == len(chosen)
    assert len(artifacts_of(project)) == 6  # signed anew: to the pipeline they are what was made


def latest(project: Path, stage: str) -> Artifact:
    artifact = Store(project / ".tunesmith").latest(stage)
    assert artifact is not None
    return artifact


def folder_of(store: Store, stage: str) -> Path:
    artifact = store.latest(stage)
    assert artifact is not None
    return artifact.path


def spoil_example(row: Row) -> Row:
    messages = messages_to_json((Message.of("user", GARBAGE), Message.of("assistant", "network")))
    return {**row, "messages": messages, "weight": 9.0}


def spoil_row(row: Row) -> Row:
    return {**row, "tokens": [101, 999, 999, 999, 102], "label": (row["label"] + 1) % 5, "weight": 9.0}


def rewrite(path: Path, chosen: Collection[str], change: Callable[[Row], Row]) -> int:
    """Change the chosen rows of a Parquet file and its entry in the manifest. Returns how many rows differ."""
    before = pq.read_table(path)
    after = [change(row) if row["id"] in chosen else row for row in before.to_pylist()]
    changed = [new for new, old in zip(after, before.to_pylist(), strict=True) if new != old]
    pq.write_table(pa.Table.from_pylist(after, schema=before.schema), path)
    manifest = path.parent / MANIFEST
    told = json.loads(manifest.read_text(encoding="utf-8"))
    told["files"][path.name] = {"sha256": sha256_of(path), "bytes": path.stat().st_size}
    manifest.write_text(json.dumps(told), encoding="utf-8")
    return len(changed)


def test_garbage_in_the_test_part_changes_no_weight(tmp_path: Path, divided: Path, weights: str) -> None:
    assert trained(divided, tmp_path / "spoiled", "test") == weights


def test_garbage_in_one_training_row_changes_the_weights(tmp_path: Path, divided: Path, weights: str) -> None:
    """Else the test above would prove nothing."""
    assert trained(divided, tmp_path / "spoiled", "train", rows=1) != weights


def test_no_stage_but_test_is_given_the_ids_of_the_test_part(divided: Path) -> None:
    split = Store(divided / ".tunesmith").latest("split")
    assert split is not None
    readers = [stage for stage in BY_NAME.values() if "split" in stage.needs]
    assert {stage.name for stage in readers} == {"advise", "train", "test", "improve"}
    seen: dict[str, Splits] = {stage.name: open_product(BY_NAME["split"], split, stage) for stage in readers}
    with pytest.raises(TestPartLocked, match="'train' may not read the test part"):
        seen["train"].ids("test")
    assert len(seen["train"].ids("train")) > len(seen["train"].ids("validation")) > 0
    assert sorted(seen["test"].ids("test")) == sorted(ids(split.path / "test.parquet"))
