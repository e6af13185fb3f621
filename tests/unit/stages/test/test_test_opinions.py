"""Other candidates, people's ratings and a judge model: beside the verdict, never in it, and told in the report."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.unit.endpoint_server import serving
from tunesmith import ratings
from tunesmith.errors import InputError
from tunesmith.ratings import Rating
from tunesmith.stages.test.judge import word_of
from tunesmith.stages.test.settings import TestSettings

ROWS = [(f"question {number}", f"the answer number {number}") for number in range(20)]
GOOD = [answer for _, answer in ROWS]
BAD = [f"nothing of the kind {number}" for number in range(20)]


def endpoint(url: str, name: str = "big", **more: Any) -> dict[str, Any]:
    return {"name": name, "url": url, "model": "m-1", **more}


def test_an_endpoint_answers_the_same_rows_and_the_user_is_told_that_they_leave(project) -> None:
    known = dict(ROWS)
    with serving(lambda body: known[body["messages"][-1]["content"]].upper()) as server:
        settings = {"endpoints": [endpoint(server.url)], "candidates": ["base", "tuned", "endpoint:big"]}
        made = project.run(project.goal("text"), ROWS, BAD, GOOD, **settings)
    assert sorted(body["messages"][-1]["content"] for body in server.asked) == sorted(known)
    assert {body["messages"][0]["content"] for body in server.asked} == {"Do the task."}
    scores = {score.metric: score.value for score in made.report.scores["endpoint:big"]}
    assert scores["rouge_l"] == 1.0
    assert made.report.verdict["comparison"]["against"] == "base"
    for page in (made.html, made.markdown):
        assert "endpoint:big" in page
        assert "m-1" in page
    [row, *_] = made.report.predictions()
    assert row["endpoint:big"]["answer"] == known[row["input"]].upper()


def choosing(good: str) -> Any:
    """A judge that prefers the answer which holds a word, and says so in its last line."""

    def say(body: dict[str, Any]) -> str:
        first, second = re.findall(r"<<ANSWER [AB] \w+>>\n(.*?)\n<<END", body["messages"][-1]["content"], re.DOTALL)
        return "I think.\n**" + ("A" if good in first else "B" if good in second else "same") + "**"

    return say


def judged(project, say: Any, **settings: Any) -> dict[str, Any]:
    with serving(say) as server:
        asked = {"endpoints": [endpoint(server.url)], "judge": {"endpoint": "big", "question": "Which?", **settings}}
        made = project.run(project.goal("text"), ROWS, BAD, GOOD, **asked)
        found = made.report.facts["opinions"]["judge"]
    assert len(server.asked) == 2 * found["rows"]
    assert all("Which?" in body["messages"][-1]["content"] for body in server.asked)
    for page in (made.html, made.markdown):
        assert "A judge model" in page
        assert "None of this is part of the verdict" in page
    return {**found, "verdict": made.report.verdict}


def test_a_judge_is_asked_in_both_orders_and_its_preference_has_an_interval(project) -> None:
    found = judged(project, choosing("answer"), rows=12)
    assert (found["rows"], found["preference"]["wins"], found["steady"]["value"]) == (12, 12, 1.0)
    assert found["preference"]["share"]["low"] > 0.7
    assert "Not checked against people" in found["words"][-1]


def test_a_judge_that_favours_a_place_says_nothing(project) -> None:
    found = judged(project, lambda body: "A")
    assert (found["verdicts"], found["preference"]["share"], found["steady"]["value"]) == ({}, None, 0.0)


def test_a_judge_changes_no_verdict(project, tmp_path_factory) -> None:
    found = judged(project, choosing("nothing"))
    assert found["preference"]["losses"] == 20
    other = type(project)(tmp_path_factory.mktemp("plain")).run(project.goal("text"), ROWS, BAD, GOOD)
    assert other.report.verdict == found["verdict"]


def rate(folder: Path, made: Any, prefers: Any) -> None:
    """Two reviewers' ratings of every row; the second is of the other mind on the last five."""
    shown = ("tuned", "base")
    for number, row in enumerate(made):
        hashes = tuple(ratings.hash_of(row[name]["answer"]) for name in shown)
        for reviewer in ("ana", "ben"):
            choice = prefers(number) if reviewer == "ana" or number < 15 else "B"
            one = Rating(row["id"], reviewer, "test", shown, hashes, choice)  # type: ignore[arg-type]
            ratings.append(folder / ratings.FILE, [ratings.rating_line(one)], source=folder)


def test_people_stand_in_the_report_and_the_judge_is_held_against_them(project, tmp_path_factory) -> None:
    first = project.run(project.goal("text"), ROWS, BAD, GOOD)
    other = type(project)(tmp_path_factory.mktemp("again"))
    rate(other.root, list(first.report.predictions()), lambda number: "A" if number % 4 else "B")
    with serving(choosing("answer")) as server:
        asked = {"endpoints": [endpoint(server.url)], "judge": {"endpoint": "big"}}
        made = other.run(other.goal("text"), ROWS, BAD, GOOD, **asked)
    found = made.report.facts["opinions"]
    assert found["people"]["words"][0].startswith("People compared tuned and base on 20 rows")
    assert [row[0] for row in found["people"]["reviewers"]] == ["ana", "ben"]
    assert any("Cohen's kappa" in line for line in found["people"]["words"])
    assert found["judge"]["shared_with_people"] == 20
    assert found["judge"]["agreement"]["n"] == 20
    assert "Against people who rated the same answers: Cohen's kappa 0.00" in found["judge"]["words"][-1]
    for page in (made.html, made.markdown):
        assert "People compared tuned and base" in page


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("A", "A"),
        ("b.", "B"),
        ("Because A is short.\n\nSAME\n", "SAME"),
        ("A is better", None),
        ("", None),
        ("C", None),
    ],
)
def test_the_last_line_is_the_verdict_or_there_is_none(text: str, word: str | None) -> None:
    assert word_of(text) == word


@pytest.mark.parametrize(
    "settings",
    [
        {"candidates": ["tuned"]},
        {"candidates": ["base", "tuned", "endpoint:none"]},
        {"candidates": ["base", "tuned", "other"]},
        {"candidates": ["base", "tuned", "tuned"]},
        {"judge": {"endpoint": "none"}},
        {"endpoints": [endpoint("ftp://host")]},
        {"endpoints": [endpoint("https://ana:secret@host/v1")]},
        {"endpoints": [endpoint("https://host"), endpoint("https://other")]},
    ],
    ids=json.dumps,
)
def test_settings_that_lead_nowhere_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        TestSettings(**settings)


def test_a_missing_key_is_told_before_anything_is_asked(project, monkeypatch) -> None:
    monkeypatch.delenv("ZQ_NONE", raising=False)
    with pytest.raises(InputError, match="endpoint_key_missing"):
        project.run(
            project.goal("text"), ROWS, BAD, GOOD,
            endpoints=[endpoint("https://host", key_env="ZQ_NONE")], judge={"endpoint": "big"},
        )  # fmt: skip
