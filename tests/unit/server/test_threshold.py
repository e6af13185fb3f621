"""What `test` found is what `serve` uses: the same confidence, and the threshold where the project sets none."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.server.double_server import Bytes, version
from tunesmith.answering.confidence import sure_of_choices
from tunesmith.deployment.exchange import Exchange
from tunesmith.deployment.guard import NoGuard, Task
from tunesmith.generation import Sampling, WrittenToken
from tunesmith.learners.protocol import Prediction
from tunesmith.server.answering import Answering
from tunesmith.server.call import Call
from tunesmith.server.keys import Key
from tunesmith.server.limits import Limiter
from tunesmith.server.threshold import with_threshold
from tunesmith.stages.goal.settings import GoalSettings

SCHEMA = {"type": "object", "properties": {"team": {"enum": ["a", "b"]}, "note": {"type": "string"}}}
FOUND = {"wanted": 0.9, "confidence": 0.8312, "words": "To reach an accuracy of 90.0%, …"}


def project(folder: Path, goal: dict[str, Any], threshold: dict[str, Any] | None, train: str = "abc") -> Any:
    """A project whose training has a test that found a threshold."""
    (folder / "test-0123").mkdir()
    report = {
        "made_at": 1.0,
        "scores": {},
        "differences": [],
        "verdict": {},
        "facts": {"calibration": {"threshold": threshold}},
    }
    test = SimpleNamespace(made_by={"inputs": {"train": train}}, path=folder, read_json=lambda name: report)
    store = SimpleNamespace(artifacts=folder, find=lambda stage, id: test)
    return SimpleNamespace(settings=SimpleNamespace(goal=GoalSettings(**goal)), store=store)


def served() -> Any:
    one = version("letters", "label", labels=("early", "late"), unknown="hand_off")
    return replace(one, artifacts={"train": "abc"})


@pytest.mark.parametrize(
    ("goal", "threshold", "train", "expected", "words"),
    [
        ({"unknown": "hand_off", "confidence": 0.4}, FOUND, "abc", 0.4, "0.4 go to a person (goal.confidence)"),
        ({"unknown": "hand_off"}, FOUND, "abc", 0.8312, "by the test that reaches an accuracy of 90%"),
        ({"unknown": "hand_off"}, FOUND, "another", 0.5, "0.5 go to a person (goal.confidence is not set)"),
        ({"unknown": "hand_off"}, {**FOUND, "confidence": None}, "abc", 0.5, "goal.confidence is not set"),
        ({"unknown": "hand_off"}, {**FOUND, "confidence": 0.0}, "abc", 0.5, "goal.confidence is not set"),
        ({"unknown": "hand_off"}, None, "abc", 0.5, "goal.confidence is not set"),
        ({}, FOUND, "abc", 0.8312, "by the test"),  # the version itself hands off
    ],
)
def test_the_threshold_is_the_projects_or_the_tests_own(
    tmp_path: Path, goal: dict[str, Any], threshold: dict[str, Any] | None, train: str, expected: float, words: str
) -> None:
    found, told = with_threshold(project(tmp_path, goal, threshold, train), served())
    assert (found.goal.unknown, found.goal.confidence) == ("hand_off", expected)
    assert told is not None
    assert words in told


def test_nothing_goes_to_a_person_where_the_project_says_so_now(tmp_path: Path) -> None:
    found, told = with_threshold(project(tmp_path, {"unknown": "answer"}, FOUND), served())
    assert (found.goal.unknown, told) == ("answer", None)


def test_of_json_the_server_is_as_sure_as_the_test_was() -> None:
    """In both the probability of the choices that the schema lists, not of every word."""
    text = b'{"team": "a", "note": "hello"}'

    class Engine:
        async def write(self, prompt: Any, sampling: Any) -> Any:
            for byte in text:
                yield WrittenToken(byte, -0.5)
            yield WrittenToken(256, -0.5, is_end=True)

    class Codec(Bytes):
        def field_confidence(self, tokens: Any, log_probabilities: Any) -> dict[str, float]:
            assert bytes(tokens) == text
            return {"team": math.exp(2 * log_probabilities[0]), "note": 0.001}

    one = version("fields", "json", schema=SCHEMA)
    answering = Answering(
        SimpleNamespace(version=one, engine=Engine(), codec=Codec(), site=SimpleNamespace(guard=NoGuard())),  # type: ignore[arg-type]
        Call(Key("k", "", 0.0), Exchange("req-1", "", ""), Limiter()),
        [1],
        Sampling(100),
        Task(one.goal),
    )
    asyncio.run(answering.whole())
    [tested] = sure_of_choices(one.goal, [Prediction(text.decode(), 0.6, 31, 0.1, True, {"team": math.exp(-1)})])
    assert answering.text == text.decode()
    assert answering.confidence == pytest.approx(tested.confidence) == pytest.approx(math.exp(-1))
