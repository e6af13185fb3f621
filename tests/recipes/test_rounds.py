"""A project over rounds: what it tested once stays in the test part when its data changes, until the seed does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.recipes.small_project import write_project
from tunesmith import Project
from tunesmith.errors import InputError
from tunesmith.products import BaseModel


def inputs_of_test_part(project: Project) -> set[str]:
    """The inputs of the test part."""
    ids = set(project.product("split").ids("test"))
    return {example.input for example in project.product("clean").examples(ids)}


def test_tested_rows_stay_tested_when_lines_are_put_before_them(
    tmp_path: Path, minilm: BaseModel, bases_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNESMITH_CACHE", str(bases_cache))
    project = Project.open(write_project(tmp_path / "rounds"))
    assert "split" in project.run(to="split").made
    assert project.run(to="split").made == []  # what the split itself made is no reason to split again
    first = inputs_of_test_part(project)
    tickets = project.root / "tickets.jsonl"
    near = [{"text": f"{text} please", "team": "network"} for text in sorted(first)]
    lines = "".join(json.dumps(row) + "\n" for row in near)
    tickets.write_text(lines + tickets.read_text(encoding="utf-8"), encoding="utf-8")
    assert "split" in project.run(to="split").made
    assert {state.stage: state.state for state in project.status()}["split"] == "made"
    second = inputs_of_test_part(project)
    assert first < second
    training = set(project.product("split").ids("train"))
    trained = {example.input for example in project.product("clean").examples(training)}
    assert not {f"{text} please" for text in first if len(text) > 40} & trained
    again = {name: project.product("split").ids(name) for name in ("train", "validation", "test")}
    project.run(to="split", from_scratch=True)
    assert {name: project.product("split").ids(name) for name in ("train", "validation", "test")} == again
    project.run(to="split", overrides={"seed": 5})
    assert not first <= inputs_of_test_part(project)


def test_the_model_of_an_earlier_round_answers_as_it_did(
    tmp_path: Path, minilm: BaseModel, bases_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNESMITH_CACHE", str(bases_cache))
    project = Project.open(write_project(tmp_path / "two rounds"))
    light = {"test.raccoon": "off"}
    project.run(overrides=light)
    first = {row["id"]: row["tuned"]["answer"] for row in project.product("test").predictions()}
    second = {**light, "train.epochs": 1, "test.candidates": "[base, tuned, round:1]"}
    assert "train" in project.run(overrides=second).made
    told = list(project.product("test").predictions())
    assert {row["id"]: row["round:1"]["answer"] for row in told} == first
    assert project.product("test").facts["opinions"]["others"][0]["candidate"] == "round:1"
    assert project.run(overrides=second).made == []
    with pytest.raises(InputError, match="there is no round 7"):
        project.run(overrides={**second, "test.candidates": "[base, tuned, round:7]"})
