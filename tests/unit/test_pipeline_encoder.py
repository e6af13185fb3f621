"""Whether `clean` is given an encoder: it follows from the settings, and its absence stops nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunesmith import InputError, Project
from tunesmith.events import Event
from tunesmith.pipeline import encoder
from tunesmith.products import BaseModel
from tunesmith.stages.base import run as base

SETTINGS = """\
version: 1
name: desk
goal: {input: text, output: OUTPUT}
base: {model: BASE}
clean: {encoder: ENCODER}
collect: [{path: rows.csv}]
"""


def project(folder: Path, output: str = "label", model: str = "auto", use: str = "auto") -> Project:
    text = SETTINGS.replace("OUTPUT", output).replace("BASE", model).replace("ENCODER", use)
    (folder / "tunesmith.yaml").write_text(text, encoding="utf-8")
    rows = "".join(
        f"question {at} about {'bills' if at % 2 else 'cards'},{'bill' if at % 2 else 'card'}\n" for at in range(24)
    )
    (folder / "rows.csv").write_text("text,label\n" + rows, encoding="utf-8")
    return Project.open(folder)


@pytest.mark.parametrize(
    ("output", "model", "use", "wanted"),
    [
        ("label", "auto", "auto", True),
        ("label", "all-minilm-l6-v2", "auto", True),
        ("label", "bge-small-en-v1.5", "auto", False),
        ("label", "scratch", "auto", False),
        ("text", "auto", "auto", False),
        ("json", "smollm2-135m-instruct", "auto", False),
        ("json", "smollm2-135m-instruct", "always", True),
        ("label", "auto", "never", False),
    ],
)
def test_it_is_wanted_by_itself_only_where_it_is_the_base(tmp_path, output, model, use, wanted):
    assert encoder.wanted(project(tmp_path, output, model, use).settings) is wanted


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """No base is here, and none can be fetched; the names that were asked for."""
    asked: list[str] = []

    def refuse(name, *more):
        asked.append(name)
        raise InputError("base_unavailable", "no network")

    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("TUNESMITH_BASE_ALL_MINILM_L6_V2", raising=False)
    monkeypatch.setattr(base, "fetch_named", refuse)
    return asked


def test_without_a_network_clean_is_made_all_the_same_and_not_again(tmp_path, offline):
    opened = project(tmp_path)
    events: list[Event] = []
    result = opened.run(to="clean", on_event=events.append)
    assert result.clean is not None
    assert result.clean.counts["kept"] == 24
    assert offline == ["all-minilm-l6-v2"]
    assert any("no network" in event.data["text"] for event in events if event.kind == "note")
    assert result.clean.coverage()["by_meaning"]["on"] is False
    assert "clean" in opened.run(to="clean").skipped
    assert len(offline) == 1


def test_once_it_is_here_clean_is_made_again_with_it(tmp_path, offline, minilm: BaseModel, monkeypatch):
    opened = project(tmp_path)
    opened.run(to="clean")
    monkeypatch.setenv("TUNESMITH_BASE_ALL_MINILM_L6_V2", str(minilm.folder))
    [state] = [one for one in opened.status() if one.stage == "clean"]
    assert (state.state, state.why) == ("stale", "encoder changed")
    result = opened.run(to="clean")
    assert result.made == ["clean"]
    assert result.clean is not None
    assert result.clean.coverage()["by_meaning"] == {"on": True, "encoder": "all-minilm-l6-v2"}
    assert opened.run(to="clean").made == []


def test_what_it_looked_at_stays_made_where_it_is_gone(tmp_path, offline, minilm: BaseModel, monkeypatch):
    opened = project(tmp_path)
    monkeypatch.setenv("TUNESMITH_BASE_ALL_MINILM_L6_V2", str(minilm.folder))
    opened.run(to="clean")
    monkeypatch.delenv("TUNESMITH_BASE_ALL_MINILM_L6_V2")  # another cache, or an emptied one
    [state] = [one for one in opened.status() if one.stage == "clean"]
    assert state.state == "made"
    assert opened.run(to="clean").made == []
    assert offline == []


def test_made_anew_without_it_the_recipe_does_not_name_it(tmp_path, offline, minilm: BaseModel, monkeypatch):
    opened = project(tmp_path)
    monkeypatch.setenv("TUNESMITH_BASE_ALL_MINILM_L6_V2", str(minilm.folder))
    opened.run(to="clean")
    monkeypatch.delenv("TUNESMITH_BASE_ALL_MINILM_L6_V2")
    result = opened.run(to="clean", from_scratch=True)
    assert result.clean is not None
    assert result.clean.coverage()["by_meaning"]["on"] is False
    assert result.artifacts["clean"].made_by["facts"]["encoder"] is None


def test_where_it_is_not_wanted_nothing_is_asked_for(tmp_path, offline):
    assert project(tmp_path, "text", use="never").run(to="clean").clean is not None
    assert offline == []
    assert encoder.fact(project(tmp_path, "text"), project(tmp_path, "text").settings) == {}
