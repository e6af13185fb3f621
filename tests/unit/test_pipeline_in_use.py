"""The version in use among the facts of a test: when a test is made again for it, and when not."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tunesmith.artifact import Store
from tunesmith.pipeline.in_use import FILE, in_use, in_use_facts, in_use_folder

RECIPE: dict[str, Any] = {"version": 5, "settings": {}, "inputs": {"train": "t2"}, "seed": 0, "facts": {}}


@pytest.fixture
def project(tmp_path: Path) -> Any:
    return SimpleNamespace(store=Store(tmp_path))


def made(project: Any, id: str, recipe: dict[str, Any]) -> None:
    folder = project.store.begin("test", id)
    (folder / "test.json").write_text("{}", encoding="utf-8")
    project.store.finish("test", id, made_by=recipe, counts={}, seconds=0.0)


def use(project: Any, test: str, train: str) -> None:
    (project.store.root / FILE).write_text(json.dumps({"round": 1, "test": test, "train": train}), encoding="utf-8")


def test_without_a_version_in_use_a_test_has_no_such_fact(project: Any) -> None:
    assert in_use_facts(project, RECIPE, "t2") == {}
    assert in_use_folder(project, RECIPE) == {}


def test_an_earlier_model_in_use_is_named_and_its_folder_and_round_are_given(project: Any) -> None:
    made(project, "one", {**RECIPE, "inputs": {"train": "t1"}})
    use(project, "one", "t1")
    facts = in_use_facts(project, RECIPE, "t2")
    assert facts == {"in_use": "one"}
    given = in_use_folder(project, {**RECIPE, "facts": facts})
    assert given == {"in_use": project.store.folder("test", "one"), "in_use_round": 1}


def test_a_model_that_became_the_one_in_use_is_not_tested_again(project: Any) -> None:
    made(project, "one", {**RECIPE, "inputs": {"train": "t1"}})
    made(project, "two", {**RECIPE, "facts": {"in_use": "one"}})
    use(project, "two", "t2")
    assert in_use_facts(project, RECIPE, "t2") == {"in_use": "one"}


def test_the_model_in_use_is_not_held_against_itself(project: Any) -> None:
    made(project, "two", {**RECIPE, "settings": {"worst": 3}})
    use(project, "two", "t2")
    assert in_use_facts(project, RECIPE, "t2") == {}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"round": 1}', '{"round": 1, "test": "gone", "train": "t1"}'])
def test_a_broken_or_gone_version_in_use_is_none(project: Any, text: str) -> None:
    (project.store.root / FILE).write_text(text, encoding="utf-8")
    assert in_use(project) is None
