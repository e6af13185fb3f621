"""`tunesmith advise --more-data|--bases|--search` over a test double: what is shown, and what is written on request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tunesmith import Project
from tunesmith.errors import InputError
from tunesmith.example import Score
from tunesmith.scoring.learning_curve import Expected
from tunesmith.scoring.paired import Difference
from tunesmith.scoring.slice_slopes import Worth
from tunesmith.trials.compare_bases import BasesCompared, BaseTried
from tunesmith.trials.more_data import Forecast, MeasuredPart, MoreData
from tunesmith.trials.search import Searched, Tried

AGAINST = Difference("accuracy", "large", "small", 0.05, 200, 0.02, 0.08, 0.001, "mcnemar_exact")
SCORE = Score("accuracy", 0.8, 200, 0.74, 0.85)


def more_data(**given: Any) -> MoreData:
    gain, reach = Expected(0.018, 0.004, 0.031), Expected(0.82, 0.78, 0.86)
    words = "Doubling to 1,200 examples is worth +1.8 points (0.4 to 3.1), to 82.0% (78.0% to 86.0%)."
    slices = (Worth("label", "refund", 40, 20, Expected(0.01, 0.004, 0.02), Expected(0.008, 0.002, 0.01)),)
    parts = (MeasuredPart(480, 0, SCORE, 60.0), MeasuredPart(240, 0, SCORE, 30.0))
    forecast = Forecast(1200, 960, reach, gain, words)
    return MoreData("accuracy", 600, 480, parts, (forecast,), slices, "The next 50 labels bring most in refund.", "")


def bases(better: str | None) -> BasesCompared:
    tried = tuple(
        BaseTried(name, 22_000_000, "Apache-2.0", 480, SCORE, 70.0, 900_000_000, 0, against)
        for name, against in (("large", AGAINST), ("small", None))
    )
    return BasesCompared("accuracy", "small", 480, tried, (), better, "large is shown to be better.")


def searched(p: float) -> Searched:
    values, yours = {"learning_rate": 0.0004}, {"learning_rate": 0.0001}
    tried = (Tried(3, values, 480, 0.8, False), Tried(-1, yours, 480, 0.75, False), Tried(4, values, 53, 0.3, True))
    against = Difference("accuracy", "best", "yours", 0.05, 100, 0.02, 0.08, p, "mcnemar_exact")
    return Searched("accuracy", ("learning_rate",), tried, yours, values, SCORE, SCORE, against, "The best of 2.")


@pytest.fixture
def told(project: Any) -> dict[str, Any]:
    """What the library was asked, by verb; what is written lies in ``written``."""
    asked: dict[str, Any] = {}

    def answer(name: str, found: Any) -> Any:
        def verb(*given: Any, **more: Any) -> Any:
            asked[name] = (given, {key: value for key, value in more.items() if key != "on_event"})
            return found() if callable(found) else found

        return verb

    project.forecast_more_data = answer("more_data", more_data)
    project.try_bases = answer("bases", lambda: bases("large"))
    project.search_settings = answer("search", lambda: searched(0.001))
    project.write_settings = answer("written", None)
    return asked


def test_more_data_tells_the_forecast_and_the_slices(told: dict[str, Any], command: Any) -> None:
    ended = command("advise", "--more-data", "--minutes", "5", "--set", "train.epochs=2")
    assert ended.code == 0
    assert told["more_data"] == ((), {"examples": None, "minutes": 5.0, "overrides": ["train.epochs=2"]})
    assert "Doubling to 1,200 examples is worth +1.8 points (0.4 to 3.1)" in ended.out
    assert "label refund" in ended.out
    assert command("advise", "--more-data", "2000").code == 0
    assert told["more_data"][1]["examples"] == 2000


def test_bases_are_shown_with_what_adopts_the_better_one(told: dict[str, Any], command: Any) -> None:
    ended = command("advise", "--bases", "large, small")
    assert told["bases"][0] == (["large", "small"],)
    assert "+5.0 points (+2.0 to +8.0)" in ended.out
    assert "small (yours)" in ended.out
    assert "tunesmith run --set base.model=large" in ended.out
    assert "written" not in told


def test_nothing_is_written_without_accept_and_nothing_that_is_not_shown(
    told: dict[str, Any], project: Any, command: Any
) -> None:
    assert "--set train.learning_rate=0.0004" in command("advise", "--search", "learning_rate").out
    assert "written" not in told
    command("advise", "--search", "learning_rate", "--accept")
    assert told.pop("written")[0] == ({"train.learning_rate": 0.0004},)
    project.search_settings = lambda *given, **more: searched(0.4)
    ended = command("advise", "--search", "learning_rate", "--accept")
    assert "Nothing is written" in ended.out
    assert "written" not in told


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--more-data", "--minutes", "0"], "bad_minutes"),
        (["--more-data", "--accept"], "nothing_to_accept"),
        (["--minutes", "5"], "no_trial_asked"),
        (["--accept"], "no_trial_asked"),
        (["--use", "tuned", "--minutes", "5"], "no_trial_asked"),
    ],
)
def test_what_makes_no_sense_is_refused(words: list[str], code: str, told: dict[str, Any], command: Any) -> None:
    ended = command("advise", *words)
    assert ended.code == 2
    assert f"[{code}]" in ended.err


@pytest.mark.parametrize("other", [["--more-data"], ["--bases", "a,b"], ["--search", "rank"]])
def test_a_set_up_is_not_chosen_beside_trainings(other: list[str], told: dict[str, Any], command: Any) -> None:
    ended = command("advise", "--use", "tuned", *other)
    assert ended.code == 2
    assert "not allowed with argument" in ended.err
    assert told == {}


def test_settings_are_written_into_the_file_with_its_comments(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "p", input="text", output="label")
    text = project.file.read_text(encoding="utf-8")
    project.file.write_text(f"{text}\n# mine\n", encoding="utf-8")
    project.write_settings({"train.learning_rate": 0.0004, "base.model": "all-minilm-l6-v2"})
    assert project.settings.train.learning_rate == 0.0004
    assert project.settings.base.model == "all-minilm-l6-v2"
    assert "# mine" in project.file.read_text(encoding="utf-8")
    with pytest.raises(InputError, match="learning_rate"):
        project.write_settings({"train.learning_rate": 40})
