"""What a stopped training finds damaged, `tunesmith run` tells in a warning, and ends with the same weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.recipes.tiny_project import KINDS, result_of, write_base, write_tiny_project
from tunesmith import Project
from tunesmith.events import Event

KIND = KINDS["language_model"]
STOPPED_AT = 5


class Stopped(Exception):
    """As sudden as a kill: nothing is saved any more."""


def stop(event: Event) -> None:
    if event.kind == "metric" and event.data["step"] == STOPPED_AT and "train_loss" in event.data:
        raise Stopped


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose training was stopped amid its steps; `whole`, beside it, was not."""
    root = tmp_path_factory.mktemp("resume")
    project = write_tiny_project(root / "stopped", KIND, write_base(root / "base", KIND))
    shutil.copytree(project, root / "whole")
    Project.open(root / "whole").run(to="train")
    with pytest.raises(Stopped):
        Project.open(project).run(to="train", on_event=stop)
    return project


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def _the_newest(work: Path) -> None:
    flip_a_bit(work / "checkpoints" / "step-00000004" / "optimizer.safetensors")


def _both(work: Path) -> None:
    _the_newest(work)
    flip_a_bit(work / "checkpoints" / "step-00000003" / "state.json")


def _recipe_changed(work: Path) -> None:
    path = work / "recipe.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    assert data["recipe"]["learning_rate"] == 0.01
    data["recipe"]["learning_rate"] = 0.03
    path.write_text(json.dumps(data), encoding="utf-8")


def _recipe_gone(work: Path) -> None:
    (work / "recipe.json").unlink()


def _recipe_cut_off(work: Path) -> None:
    path = work / "recipe.json"
    path.write_bytes(path.read_bytes()[:100])


NEWEST = "a damaged checkpoint was passed over: step-00000004"
RECIPE = "the recipe of the run that was stopped is damaged or gone; training starts anew"
ANEW = "no checkpoint of the run that was stopped is whole; training starts anew"


@pytest.mark.parametrize(
    ("damage", "warnings", "first_step"),
    [
        (lambda work: None, [], STOPPED_AT),
        (_the_newest, [NEWEST], STOPPED_AT - 1),
        (_both, [NEWEST, NEWEST.replace("4", "3"), ANEW], 1),
        (_recipe_changed, [RECIPE], 1),
        (_recipe_gone, [RECIPE], 1),
        (_recipe_cut_off, [RECIPE], 1),
    ],
    ids=["nothing", "newest", "both", "recipe changed", "recipe gone", "recipe cut off"],
)
def test_damage_is_told_and_the_weights_are_the_same(
    tmp_path: Path, stopped: Path, damage: Callable[[Path], None], warnings: list[str], first_step: int
) -> None:
    project = shutil.copytree(stopped, tmp_path / "project")
    [work] = (project / ".tunesmith" / "work").iterdir()
    damage(work)
    told: list[Event] = []
    Project.open(project).run(to="train", on_event=told.append)
    assert [event.data["text"] for event in told if event.kind == "warning"] == warnings
    steps = [event.data["step"] for event in told if event.kind == "metric" and "train_loss" in event.data]
    assert steps[0] == first_step
    assert result_of(project) == result_of(stopped.parent / "whole")
