"""Which settings: a search finds what is better, says when nothing is shown, and goes on after a kill."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from tests.unit.trials.doubles import Trainings, prepared
from tunesmith.errors import Cancelled, InputError
from tunesmith.trials import search as module
from tunesmith.trials.budget import Budget
from tunesmith.trials.rows import Prepared
from tunesmith.trials.search import Searched, halves, parts, search
from tunesmith.trials.trial import Trial


def by_rate(trial: Trial) -> float:
    """The project's own rate (auto: 1e-4) is far from the best one, 6e-4."""
    rate = 1e-4 if trial.settings.learning_rate == "auto" else trial.settings.learning_rate
    off = abs(math.log10(rate / 6e-4))
    return min(0.9, (0.08 + 0.4 * min(1, off)) * (len(trial.rows) / 400) ** -0.1)


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> Trainings:
    made = Trainings(by_rate)
    monkeypatch.setattr(module, "carry_out", made.carry_out)
    monkeypatch.setattr(module, "find", made.find)
    return made


def searched(given: Prepared, trainings: Trainings, minutes: float = 12) -> Searched:
    return search(given, ["learning_rate"], Budget(minutes, trainings.clock))


def test_a_better_rate_is_found_and_shown(tmp_path: Path, trainings: Trainings) -> None:
    found = searched(prepared(tmp_path), trainings)
    assert found.best is not None
    assert 2e-4 < found.best["learning_rate"] <= 1e-3
    assert found.better
    assert "is shown to be better than your settings" in found.words
    assert found.yours_score.n == 100
    assert trainings.now <= 12 * 60


def test_most_settings_are_stopped_on_a_part_of_the_rows(tmp_path: Path, trainings: Trainings) -> None:
    found = searched(prepared(tmp_path), trainings)
    assert len(found.tried) >= 8
    assert sum(one.stopped for one in found.tried) > len(found.tried) / 3
    assert all(one.rows < 400 for one in found.tried if one.stopped)
    assert [one.rows for one in found.tried if one.number == -1] == [400]


def test_settings_that_make_no_difference_are_not_shown_to_be_better(tmp_path: Path, trainings: Trainings) -> None:
    """The best of many by luck is judged on rows that did not choose it."""
    trainings.error = lambda trial: 0.3
    found = [searched(prepared(tmp_path / str(seed), seed=seed), trainings, minutes=30) for seed in range(4)]
    assert sum(one.better for one in found) == 0
    assert all("not shown" in one.words or "None of" in one.words for one in found)


def test_a_search_that_was_cut_off_goes_on_and_trains_nothing_twice(
    tmp_path: Path, trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, made = prepared(tmp_path), trainings.carry_out

    def killed(prepared: Prepared, trial: Trial) -> object:
        if len(trainings.asked) == 5:
            raise Cancelled()
        return made(prepared, trial)

    monkeypatch.setattr(module, "carry_out", killed)
    with pytest.raises(Cancelled):
        searched(given, trainings)
    monkeypatch.setattr(module, "carry_out", made)
    found = searched(given, trainings)
    ids = [trial.id for trial in trainings.asked]
    assert len(ids) == len(set(ids))
    tried = {one.values["learning_rate"] for one in found.tried}
    before = {trial.settings.learning_rate for trial in trainings.asked[:5]} - {"auto"}
    assert before
    assert before <= tried


def test_the_journal_is_json_and_nothing_else_lies_beside_it(tmp_path: Path, trainings: Trainings) -> None:
    searched(prepared(tmp_path), trainings, minutes=3)
    files = sorted(path.suffix for path in (tmp_path / "trials").iterdir())
    assert files == [".json", ".jsonl"]


def test_the_rows_that_judge_did_not_choose() -> None:
    choosing, judging = halves(101, 3)
    assert len(choosing) == 50
    assert not set(choosing) & set(judging)
    assert np.array_equal(np.sort(np.concatenate([choosing, judging])), np.arange(101))


def test_parts_grow_threefold_to_all_rows() -> None:
    assert parts(900) == [100, 300, 900]
    assert parts(100) == [33, 100]
    assert parts(15) == [15]


@pytest.mark.parametrize(
    ("keys", "code"),
    [(["patience"], "unknown_search_key"), ([], "unknown_search_key"), (["rank"], "search_key_without_effect")],
)
def test_keys_that_cannot_be_searched_are_refused(
    keys: list[str], code: str, tmp_path: Path, trainings: Trainings
) -> None:
    with pytest.raises(InputError, match=code):
        search(prepared(tmp_path), keys, Budget(1, trainings.clock))


def test_too_few_validation_rows_to_halve_are_refused(tmp_path: Path, trainings: Trainings) -> None:
    with pytest.raises(InputError, match="too_few_to_measure"):
        searched(prepared(tmp_path, measured=18), trainings)
