"""Models of earlier rounds answer the same rows beside base and tuned model, each with its own goal."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from tunesmith.answering.answerer import TrainedModel
from tunesmith.errors import InputError
from tunesmith.learners.protocol import Prediction
from tunesmith.products import TunedModel
from tunesmith.stages.context import Context
from tunesmith.stages.test.earlier_rounds import answers_of_rounds
from tunesmith.stages.test.settings import TestSettings

ROWS = [(f"ticket {number}", ("billing", "delivery")[number % 2]) for number in range(20)]
GOOD = [answer for _, answer in ROWS]
BAD = ["billing"] * 20


def model(project: Any, output: str = "label") -> TrainedModel:
    goal = project.goal(output, **({"labels": ("billing", "delivery")} if output == "label" else {}))
    return TrainedModel(goal, project._base(), TunedModel(project.root / "old", "causal_lm", {}, (), {}, {}))


def test_an_earlier_round_is_scored_and_compared_like_all_others(project: Any) -> None:
    asked = {"candidates": ["base", "tuned", "round:1"]}
    goal = project.goal("label", labels=("billing", "delivery"))
    made = project.run(goal, ROWS, BAD, GOOD, facts={"round_models": {1: model(project)}}, **asked)
    assert {score.metric: score.value for score in made.report.scores["round:1"]}["accuracy"] == 1.0
    [row, *_] = made.report.predictions()
    assert row["round:1"]["answer"] == row["reference"]
    assert made.report.verdict["comparison"]["against"] == "base"
    for page in (made.html, made.markdown):
        assert "tuned in round 1" in page


def test_json_of_an_earlier_round_is_as_sure_as_its_choices(project: Any) -> None:
    schema = {"type": "object", "properties": {"team": {"enum": ["billing", "delivery"]}}, "required": ["team"]}
    rows = [(text, json.dumps({"team": team})) for text, team in ROWS]
    inputs = project.inputs(project.goal("json", schema=schema), rows)
    said = [Prediction(answer, 0.9, 3, 0.1, field_confidence={"team": 0.25}) for _, answer in rows]
    learner = SimpleNamespace(predict=SimpleNamespace(predict=lambda *asked, **more: said))
    goal = inputs["goal"]
    models = {"round_models": {1: replace(model(project, "json"), goal=goal)}}
    context = Context("test", project.root, project.root, project.root, facts=models)
    settings = TestSettings(candidates=["base", "tuned", "round:1"])
    ids = frozenset(inputs["split"].ids("test"))
    asked = list(inputs["clean"].examples(ids))
    found = answers_of_rounds(settings, asked, goal, lambda name: learner, context, max_new_tokens=9)
    assert {one.confidence for one in found["round:1"]} == {0.25}


def test_a_round_that_answered_with_another_kind_is_refused(project: Any) -> None:
    goal = project.goal("label", labels=("billing", "delivery"))
    facts = {"round_models": {1: model(project, "text")}}
    with pytest.raises(InputError, match="other_output"):
        project.run(goal, ROWS, BAD, GOOD, facts=facts, candidates=["base", "tuned", "round:1"])


@pytest.mark.parametrize("name", ["round:0", "round:x", "rounds:1"])
def test_what_is_no_round_is_no_candidate(project: Any, name: str) -> None:
    goal = project.goal("label", labels=("billing", "delivery"))
    with pytest.raises(ValueError, match="is no candidate"):
        project.run(goal, ROWS, BAD, GOOD, candidates=["base", "tuned", name])
