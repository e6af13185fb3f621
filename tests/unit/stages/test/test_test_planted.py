"""Planted truths: models whose worth is known get the right words from the stage itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks import verdicts


@pytest.mark.parametrize("name", list(verdicts.CASES))
def test_a_planted_truth_gets_the_right_words(name: str) -> None:
    assert len(verdicts.CASES) == 6
    assert verdicts.faults(name, seed=0) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", list(verdicts.CASES))
def test_a_planted_truth_gets_the_right_words_ten_seeds_of_ten(name: str) -> None:
    found = {seed: verdicts.faults(name, seed) for seed in range(verdicts.SEEDS)}
    assert len(found) == 10
    assert not any(found.values()), found


def test_words_that_are_wrong_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    case = verdicts.CASES["better"]
    monkeypatch.setitem(verdicts.CASES, "wrong", replace(case, base=case.tuned, tuned=case.base))
    assert len(verdicts.faults("wrong", seed=0, rows=300)) == 4
