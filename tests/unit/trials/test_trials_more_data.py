"""How much data: which parts are trained, what is told of them, and what a budget of time leaves out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.trials.doubles import Trainings, prepared
from tunesmith.errors import InputError
from tunesmith.trials import more_data as module
from tunesmith.trials.budget import Budget
from tunesmith.trials.more_data import more_data, part, plan, sizes
from tunesmith.trials.trial import Trial


def falling(trial: Trial) -> float:
    return float(0.05 + 0.25 * (len(trial.rows) / 400) ** -0.4)


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> Trainings:
    made = Trainings(falling)
    monkeypatch.setattr(module, "carry_out", made.carry_out)
    monkeypatch.setattr(module, "find", made.find)
    return made


def test_parts_are_halved_to_a_sixteenth_and_keep_a_row_for_each_label() -> None:
    assert sizes(1600, 3) == [1600, 800, 400, 200, 100]
    assert sizes(100, 3) == [100, 50, 25]
    assert sizes(1600, 300) == [1600, 800, 400]


def test_one_draw_of_each_size_comes_first_and_the_whole_is_trained_once() -> None:
    found = plan(400, 3)
    assert found[:5] == [(25, 0), (50, 0), (100, 0), (200, 0), (400, 0)]
    assert found.count((400, 0)) == 1
    assert {draw for size, draw in found if size < 400} == {0, 1, 2}
    assert not [draw for size, draw in found if size == 400 and draw]


def test_the_parts_of_a_draw_lie_in_each_other_and_draws_differ(tmp_path: Path) -> None:
    given = prepared(tmp_path)
    ids = {(size, draw): {row.id for row in part(given, size, draw).rows} for size in (50, 100) for draw in (0, 1)}
    assert ids[50, 0] < ids[100, 0]
    assert ids[50, 1] < ids[100, 1]
    assert len(ids[50, 0] & ids[50, 1]) < 25


def test_what_more_examples_are_worth_is_told_with_intervals(tmp_path: Path, trainings: Trainings) -> None:
    found = more_data(prepared(tmp_path), budget=Budget(60, trainings.clock))
    assert len(found.parts) == 13
    assert found.left_out == ""
    double, four = found.forecasts
    assert (double.examples, four.examples, double.rows) == (1600, 3200, 800)
    truth = 0.25 * (1 - 2**-0.4)
    assert double.gain.low <= truth <= double.gain.high
    assert double.gain.low > 0.01
    assert double.words.startswith("Doubling to 1,600 examples is worth +")
    assert four.gain.value > double.gain.value
    assert json.loads((tmp_path / "trials" / "more_data.json").read_text())["rows"] == 400


def test_a_flat_curve_is_said_to_show_nothing(tmp_path: Path, trainings: Trainings) -> None:
    trainings.error = lambda trial: 0.2
    found = more_data(prepared(tmp_path), budget=Budget(60, trainings.clock))
    assert found.forecasts[0].words.endswith("It is not shown to bring anything.")
    assert "is not shown" in found.slice_words


def test_a_number_of_examples_is_foretold_alone(tmp_path: Path, trainings: Trainings) -> None:
    found = more_data(prepared(tmp_path), examples=2000, budget=Budget(60, trainings.clock))
    assert [one.examples for one in found.forecasts] == [2000]
    assert found.forecasts[0].words.startswith("Going to 2,000 examples")


def test_fewer_examples_than_there_are_are_refused(tmp_path: Path, trainings: Trainings) -> None:
    with pytest.raises(InputError, match="not_more_data"):
        more_data(prepared(tmp_path), examples=800, budget=Budget(60, trainings.clock))


def test_trainings_that_do_not_fit_into_the_time_are_left_out_and_told(tmp_path: Path, trainings: Trainings) -> None:
    budget = Budget(1.4, trainings.clock)
    found = more_data(prepared(tmp_path), budget=budget)
    assert 3 <= len(found.parts) < 13
    assert trainings.now <= 84
    assert "did not fit into 1.4 min" in found.left_out


def test_with_too_little_time_it_says_so_and_goes_on_from_there_later(tmp_path: Path, trainings: Trainings) -> None:
    given = prepared(tmp_path)
    with pytest.raises(InputError, match="too_little_time"):
        more_data(given, budget=Budget(0.1, trainings.clock))
    before = len(trainings.asked)
    assert before >= 1
    assert len(more_data(given, budget=Budget(60, trainings.clock)).parts) == 13
    assert len(trainings.asked) == 13


def test_too_few_rows_for_a_curve_are_refused(tmp_path: Path, trainings: Trainings) -> None:
    with pytest.raises(InputError, match="too_few_for_a_curve"):
        more_data(prepared(tmp_path, train=60), budget=Budget(60, trainings.clock))
