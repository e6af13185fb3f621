"""`kill -9` at any moment of a training, then `tunesmith run`: the same weights, bit for bit.

Real processes of the real command (see zygote.py), on tiny models, so that hundreds of kills are affordable. A few
are part of `make test`; `make soak` runs them all.
"""

from __future__ import annotations

import itertools
import random
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest

from tests.recipes.tiny_project import KINDS, Kind, result_of, write_base, write_tiny_project
from tests.recipes.wholeness import artifacts_of
from tests.recipes.zygote import Order, Zygote
from tunesmith import Project
from tunesmith.training import checkpoint
from tunesmith.training.row_batches import row_batches
from tunesmith.training.sampler import Sampler
from tunesmith.training.tree_packing import trees

#: Kills of each kind in `make soak`, in so many parts.
KILLS = {"language_model": 100, "language_model_on_two_threads": 100, "classifier": 200}
PARTS = 5


@dataclass(frozen=True)
class Uninterrupted:
    """A project made up to `split`, the same after its training, the seconds that takes, and what it ends with."""

    folder: Path
    ended: Path
    kind: Kind
    seconds: float
    result: dict[str, Any]


@pytest.fixture(scope="module")
def zygote(bases_cache: Path) -> Iterator[Zygote]:
    with Zygote(bases_cache) as found:
        yield found


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory, zygote: Zygote) -> Any:
    """The whole training of a kind, run once for all tests."""
    return cache(partial(_uninterrupted, tmp_path_factory.mktemp("soak"), zygote))


def _uninterrupted(root: Path, zygote: Zygote, name: str) -> Uninterrupted:
    kind = KINDS[name]
    folder = write_tiny_project(root / name / "divided", kind, write_base(root / name / "base", kind))
    assert train(zygote, folder, kind, to="split") == 0
    seconds, results = [], []
    for number in range(2):  # the first run of a kind also imports what the others find
        whole = shutil.copytree(folder, root / name / f"whole-{number}")
        began = time.monotonic()
        assert train(zygote, whole, kind) == 0, said(whole)
        seconds.append(time.monotonic() - began)
        results.append(result_of(whole))
    assert results[0] == results[1]
    return Uninterrupted(folder, whole, kind, min(seconds), results[0])


def train(zygote: Zygote, project: Path, kind: Kind, to: str = "train", **how: Any) -> int:
    dies_before = how.pop("dies_before", None)
    words = ("run", "--to", to, "--project", str(project))
    return zygote.run(Order(words, str(project / "said.txt"), kind.threads, dies_before), **how)


def said(project: Path) -> str:
    return (project / "said.txt").read_text(encoding="utf-8")


def assert_a_kill_damaged_nothing(project: Path) -> None:
    """Every artifact is whole, and so is every checkpoint that has its name."""
    artifacts_of(project)
    for work in (project / ".tunesmith" / "work").glob("train-*"):
        if (work / "train.json").exists():
            continue  # the model is whole, and its checkpoints are being removed
        for folder in (work / "checkpoints", work / "checkpoints" / "refit"):
            found = sorted(folder.glob("step-*"))
            assert len(found) <= checkpoint.KEPT + 1  # one more until the oldest is dropped
            assert all(checkpoint.is_whole(directory) for directory in found)


def assert_ends_alike(zygote: Zygote, project: Path, whole: Uninterrupted) -> None:
    assert train(zygote, project, whole.kind) == 0, said(project)
    assert result_of(project) == whole.result
    assert "damaged" not in said(project)
    assert list((project / ".tunesmith" / "work").iterdir()) == []
    assert [path.name for path in (project / ".tunesmith").rglob(".*")] == []


def killed(zygote: Zygote, whole: Uninterrupted, project: Path, moment: float) -> Path:
    """A copy of the project whose training was killed about then: sooner, when it was faster this time."""
    while True:
        if not project.exists():
            shutil.copytree(whole.folder, project)
        code = train(zygote, project, whole.kind, kill_after=moment)
        if code == -signal.SIGKILL:
            assert_a_kill_damaged_nothing(project)
            return project
        assert code == 0, said(project)
        shutil.rmtree(project)
        moment *= 0.9


def moments(count: int, seconds: float, seed: int) -> list[float]:
    """Random moments, one in each ``count``-th of the time."""
    rng = random.Random(seed)
    return [(number + rng.random()) * seconds / count for number in range(count)]


@pytest.mark.parametrize(
    ("name", "kills"), [("language_model", 4), ("language_model_on_two_threads", 2), ("classifier", 4)]
)
def test_a_training_killed_again_and_again_ends_with_the_same_weights(
    tmp_path: Path, zygote: Zygote, uninterrupted: Any, name: str, kills: int
) -> None:
    whole = uninterrupted(name)
    project = tmp_path / "project"
    for moment in random.Random(0).sample(moments(kills, whole.seconds, seed=0), kills):
        killed(zygote, whole, project, moment)
    assert_ends_alike(zygote, project, whole)


@pytest.mark.parametrize("name", KINDS)
def test_a_step_has_several_batches_and_one_of_them_is_kept(uninterrupted: Any, name: str) -> None:
    """What the kills are to prove: that a kill may fall between two batches of a step, and amid an epoch."""
    whole = uninterrupted(name)
    project = Project.open(whole.ended)
    recipe = project.product("train").recipe
    rows = list(project.product("format").rows(set(project.product("split").ids("train"))))
    batches = trees if whole.kind.output == "text" else row_batches
    drawn = Sampler(rows, recipe["batch_size"], recipe["seed"]).step(0)
    assert len(batches(drawn, recipe["token_budget"], recipe["workers"])) > 1
    assert len(rows) > recipe["batch_size"]
    assert recipe["dropout"] > 0 or recipe["workers"] > 1
    steps, best, again = whole.result["steps"]
    assert steps >= 8
    assert best > 0
    assert (again > 1) == (whole.kind.output == "label")


@pytest.mark.soak
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", KINDS)
def test_each_of_many_kills_ends_with_the_same_weights(
    tmp_path: Path, zygote: Zygote, uninterrupted: Any, name: str, part: int
) -> None:
    whole = uninterrupted(name)
    count = KILLS[name] // PARTS
    for number, moment in enumerate(moments(count, whole.seconds, seed=part)):
        project = killed(zygote, whole, tmp_path / str(number), moment)
        assert_ends_alike(zygote, project, whole)
        shutil.rmtree(project)


@pytest.mark.soak
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("name", ["language_model", "classifier"])
def test_a_kill_before_any_change_of_the_disk_ends_with_the_same_weights(
    tmp_path: Path, zygote: Zygote, uninterrupted: Any, name: str
) -> None:
    """Every third file that is opened to be written, renamed or removed in the whole life of the command."""
    whole = uninterrupted(name)
    kills = 0
    for change in itertools.count(0, 3):
        project = shutil.copytree(whole.folder, tmp_path / str(change))
        code = train(zygote, project, whole.kind, dies_before=change)
        if code == 0:
            assert result_of(project) == whole.result
            break
        assert code == -signal.SIGKILL, said(project)
        kills += 1
        assert_a_kill_damaged_nothing(project)
        assert_ends_alike(zygote, project, whole)
        shutil.rmtree(project)
    assert kills > 50
