"""A classifier's confidence: told with its interval; a threshold is judged on rows that it was not chosen on."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tunesmith.learners.protocol import Prediction
from tunesmith.products import Criterion, GoalSheet
from tunesmith.stages.test.confidence import calibration
from tunesmith.stages.test.scored import Scored

GOAL = GoalSheet("text", "label", "You sort.", labels=("a", "b"), success=(Criterion("accuracy", 0.9),))
DRAW = {"resamples": 1000, "seed": 0}


def scored(confidence: np.ndarray, right: np.ndarray) -> Scored:  # type: ignore[type-arg]
    return Scored([Prediction("a", float(one), 1, 0.0) for one in confidence], {}, [], right)


def drawn(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    """Confidences that mean what they say, and what was right."""
    random = np.random.default_rng(seed)
    chance = random.uniform(0.4, 1, size=rows)
    return chance, (random.random(rows) < chance).astype(float)


def test_a_boasting_model_is_told_and_an_honest_one_is_not_blamed() -> None:
    chance, right = drawn(400)
    honest = calibration(GOAL, [], scored(chance, right), **DRAW)
    boasting = calibration(GOAL, [], scored(chance**0.2, right), **DRAW)
    assert honest is not None
    assert boasting is not None
    assert honest["words"].startswith("The model's confidence is not shown to be off: ")
    assert boasting["words"].startswith("The model is surer than it should be: its confidence is ")
    assert boasting["calibration_error"] > 0.15 > 0.06 > honest["calibration_error"]


def test_the_threshold_reaches_the_goal_on_rows_it_was_not_chosen_on() -> None:
    accuracies, shares = [], []
    for seed in range(30):
        chance, right = drawn(400, seed)
        found = calibration(GOAL, [], scored(chance, right), **DRAW)
        assert found is not None
        accuracies.append(found["threshold"]["accuracy"]["value"])
        shares.append(found["threshold"]["answered"] / 400)
    assert np.mean(accuracies) == pytest.approx(0.9, abs=0.02)
    assert 0.2 < np.mean(shares) < 0.5
    assert "goal.confidence: 0." in found["words"]
    assert "Chosen on one half of the rows and judged on the other" in found["words"]


def test_where_the_goal_is_reached_nothing_need_be_handed_off_and_where_nothing_helps_that_is_said() -> None:
    confidence = np.linspace(0.5, 1, 40)
    fine = calibration(GOAL, [], scored(confidence, np.ones(40)), **DRAW)
    lost = calibration(GOAL, [], scored(confidence, np.zeros(40)), **DRAW)
    assert fine is not None
    assert lost is not None
    assert "hand answers" not in fine["words"]
    assert lost["words"].endswith("No confidence is high enough that 90.0% of the answers above it are right.")


def test_nothing_is_said_of_few_rows_or_of_answers_that_are_not_labels() -> None:
    chance, right = drawn(19)
    assert calibration(GOAL, [], scored(chance, right), **DRAW) is None
    text = GoalSheet("text", "text", "You help.")
    assert calibration(text, [], scored(np.ones(40), np.ones(40)), **DRAW) is None


def json_scored(rows: int, seed: int = 0) -> tuple[GoalSheet, list[str], Scored]:
    """JSON answers whose two listed values are right as often as their confidence says, the second less often."""
    random = np.random.default_rng(seed)
    schema = {"properties": {"kind": {"enum": ["a", "b"]}, "due": {"type": "boolean"}, "reply": {"type": "string"}}}
    success = (Criterion("field_f1.kind", 0.9),)
    chance = random.uniform(0.5, 1, size=(rows, 2))
    right = random.random((rows, 2)) < chance
    references = ['{"kind": "a", "due": true, "reply": "x"}'] * rows
    answers = [
        Prediction(
            json.dumps({"kind": "a" if one else "b", "due": bool(two), "reply": "y"}),
            float(sure.prod()),
            9,
            0.0,
            field_confidence={"kind": float(sure[0]), "due": float(sure[1])},
        )
        for (one, two), sure in zip(right, chance, strict=True)
    ]
    return (
        GoalSheet("text", "json", "", schema=schema, success=success),
        references,
        Scored(answers, {}, [], right[:, 0]),
    )


def test_json_choices_are_calibrated_together_and_field_by_field_with_the_threshold_for_the_goal() -> None:
    goal, references, answered = json_scored(600)
    found = calibration(goal, references, answered, **DRAW)
    assert found is not None
    assert list(found["fields"]) == ["kind", "due"]
    assert found["words"].startswith("The choices that the schema lists (“kind”, “due”), all together.")
    assert "The model's confidence is not shown to be off" in found["words"]
    assert sum(one["n"] for one in found["bins"]) == 600
    kind, due = found["fields"]["kind"], found["fields"]["due"]
    assert 0.5 < kind["threshold"]["confidence"] < 1
    assert kind["threshold"]["accuracy"]["value"] == pytest.approx(0.9, abs=0.05)
    assert "hand answers whose “kind” is below a confidence of" in kind["words"]
    assert "goal.confidence" not in kind["words"]
    assert "goal.confidence: 0." in found["words"]
    assert due["threshold"] is None


def test_json_without_listed_values_has_no_diagram() -> None:
    goal, references, answered = json_scored(40)
    prose = GoalSheet("text", "json", "", schema={"properties": {"reply": {"type": "string"}}})
    assert calibration(prose, references, answered, **DRAW) is None
    assert (
        calibration(goal, references[:19], Scored(answered.answers[:19], {}, [], answered.by_row[:19]), **DRAW) is None
    )
