"""The stage asks the suite, writes it down with its recipe, and tells it in both reports; real learners take it all."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.tiny_bases import write_bert, write_llama
from tests.unit.stages.test.raccoon.made_up_desk import SYSTEM, TROUBLES, Robust, desk
from tunesmith import plugins
from tunesmith.answering.answerer import of_model
from tunesmith.errors import InputError
from tunesmith.example import messages_from_json
from tunesmith.learners.protocol import Prediction, Refusal
from tunesmith.products import BaseModel, EncodedRow, GoalSheet
from tunesmith.project_file import ProjectSettings, read
from tunesmith.stages.context import Context
from tunesmith.stages.test.raccoon.measure import material_of
from tunesmith.stages.test.raccoon.suite import FAMILIES, make_suite, rows_of
from tunesmith.stages.test.run import run
from tunesmith.stages.test.settings import TestSettings


class Understanding:
    """A learner that answers by what it is asked."""

    name = "double"

    def __init__(self, model: Callable[[str], tuple[str, float]]) -> None:
        self.model = model
        self.predict = SimpleNamespace(predict=self._predict)
        self.encode = SimpleNamespace(encoder=lambda base, goal, tokens: SimpleNamespace(encode=self._encode))

    def _predict(self, candidate: str, base: Any, goal: Any, tuned: Any, prompts: Any, **more: Any) -> list[Prediction]:
        return [Prediction(*self.model(prompt[-1].text), 3, 0.01) for prompt in prompts]

    def _encode(self, example: Any) -> EncodedRow | Refusal:
        if len(example.input.split()) > 120:
            return Refusal("too_long", "")
        return EncodedRow(example.id, [1] * 30, [False] * 30, None, 1.0, 20)


def stage(project, model, **settings) -> Path:  # type: ignore[no-untyped-def]
    goal = GoalSheet("text", "label", SYSTEM, labels=tuple(TROUBLES), unknown="hand_off")
    inputs = project.inputs(goal, [(row.input, row.answer or "") for row in desk(5, 60)])
    folder: Path = project.root / "out"
    folder.mkdir()
    context = Context("test", project.root, folder, project.root / "cache", seed=3)
    learner = Understanding(model)
    run(inputs, TestSettings(resamples=1000, **settings), context, find_learner=lambda name: learner)
    return folder


def facts(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "test.json").read_text(encoding="utf-8"))["facts"]
    return found


def test_everything_is_written_down_with_its_recipe_and_told(project):  # type: ignore[no-untyped-def]
    folder = stage(
        project, lambda text: ("refund", 0.9) if "🔥" in text else Robust(5)(text), raccoon={"rows_per_family": 6}
    )
    rows = pq.read_table(folder / "raccoon.parquet").to_pylist()
    found = facts(folder)
    assert len(rows) == found["raccoon"]["answers"] > 100
    assert {row["family"] for row in rows} == {family.name for family in FAMILIES} - {"very_short", "very_long"} | {
        row["family"] for row in rows if row["family"].startswith("very")
    }
    for row in rows:
        assert messages_from_json(row["prompt"])[-1].text == row["input"]
        assert isinstance(json.loads(row["recipe"]), dict)
        assert row["form_kept"] == ("label" not in row["why"])
    assert found["unknown"]["borrowed"]
    for name in ("report.html", "report.md"):
        page = (folder / name).read_text(encoding="utf-8")
        assert "Raccoon suite" in page
        assert "contradictory details" in page
        assert "go to a person" in page


def test_switched_off_nothing_is_asked_and_the_user_s_own_unknown_rows_are_told_all_the_same(project):  # type: ignore[no-untyped-def]
    folder = stage(project, Robust(5), raccoon="off", unknown_mark="refund")
    assert not (folder / "raccoon.parquet").exists()
    found = facts(folder)
    assert found["raccoon"] is None
    assert not found["unknown"]["borrowed"]
    assert "your own" in (folder / "report.md").read_text(encoding="utf-8")


def test_json_whose_choices_it_is_unsure_of_goes_to_a_person_in_the_suite_too(project):  # type: ignore[no-untyped-def]
    schema = {"type": "object", "properties": {"team": {"enum": list(TROUBLES)}}, "required": ["team"]}
    goal = GoalSheet("text", "json", SYSTEM, schema=schema, unknown="hand_off", confidence=0.5)
    inputs = project.inputs(goal, [(row.input, json.dumps({"team": row.answer})) for row in desk(5, 60)])
    folder = project.root / "out"
    folder.mkdir()

    class Unsure(Understanding):
        def _predict(self, *asked: Any, **more: Any) -> list[Prediction]:
            return [replace(one, field_confidence={"team": 0.1}) for one in super()._predict(*asked, **more)]

    learner = Unsure(lambda text: (json.dumps({"team": "refund"}), 0.99))
    settings = TestSettings(resamples=1000, raccoon={"rows_per_family": 2, "families": ["emoji", "html"]})
    context = Context("test", project.root, folder, project.root / "cache", seed=3)
    run(inputs, settings, context, find_learner=lambda name: learner)
    told = pq.read_table(folder / "raccoon.parquet").to_pylist()
    assert [row["confidence"] for row in told] == pytest.approx([0.1] * 4)
    assert {row["handed_off"] for row in told} == {True}


def test_only_the_families_that_are_named_are_asked(project):  # type: ignore[no-untyped-def]
    folder = stage(project, Robust(5), raccoon={"rows_per_family": 3, "families": ["emoji", "html"]})
    asked = facts(folder)["raccoon"]["families"]
    assert {one["family"]: one["n"] for one in asked} == {"emoji": 3, "html": 3}


def test_the_settings_say_what_they_take(tmp_path):  # type: ignore[no-untyped-def]
    file = tmp_path / "tunesmith.yaml"

    def settings(text: str, *overrides: str) -> Any:
        file.write_text(f"name: x\ntest: {text}\n", encoding="utf-8")
        return read(file, overrides).test.raccoon

    assert settings("{raccoon: off}") == "off"
    assert settings("{}").rows_per_family == "auto"
    assert settings("{raccoon: off}", "test.raccoon.rows_per_family=50").rows_per_family == 50
    assert settings("{raccoon: {families: [html]}}", "test.raccoon.rows_per_family=50").families == ["html"]
    assert settings("{}", "test.raccoon=off") == "off"
    for wrong in ("{raccoon: {families: [emojis]}}", "{raccoon: {rows: 3}}", "{raccoon: on}"):
        with pytest.raises(InputError):
            settings(wrong)
    assert ProjectSettings(name="x").test.raccoon != "off"


@pytest.mark.parametrize(("kind", "output"), [("encoder", "label"), ("causal_lm", "text"), ("causal_lm", "label")])
def test_no_prompt_of_the_suite_is_too_much_for_a_learner(tmp_path, kind, output):  # type: ignore[no-untyped-def]
    """Empty, odd and very long prompts, asked of a base of a few thousand weights with 256 tokens of context."""
    folder = (write_bert if kind == "encoder" else write_llama)(tmp_path / "base")
    base = BaseModel("tiny", kind, folder, 20_000, 256 if kind == "encoder" else 512, "MIT", ("en",), "", "ab" * 32, "")
    goal = GoalSheet("text", output, "Say which.", labels=tuple(TROUBLES) if output == "label" else ())  # type: ignore[arg-type]
    learner = plugins.learner_for(kind, "text", output)
    material = material_of(rows_of(desk(1, 6)), goal, base, learner)
    cases = make_suite(material, {family.name: 2 for family in FAMILIES}, 0)
    assert {case.family.name for case in cases} >= {"very_long", "empty", "other_language", "html"}
    longest = max(material.tokens(case.row, case.change.text) or 0 for case in cases)
    assert longest > 0.6 * base.context
    answerer = of_model(learner, "base", base, goal, None, max_new_tokens=4)
    answers = [answerer.ask([case.prompt], lambda done, total: None)[0] for case in cases]
    assert len(answers) == len(cases)
    together: Sequence[Prediction] = answerer.ask([case.prompt for case in cases], lambda done, total: None)
    assert len(together) == len(cases)
