"""The statistics' promises, by enough simulations: what `python -m benchmarks statistics` prints is held here."""

from __future__ import annotations

import pytest

from benchmarks import statistics


@pytest.mark.slow
def test_intervals_cover_94_to_96_tests_alarm_in_5_and_rows_needed_have_their_power() -> None:
    figures = statistics.run()
    assert len(figures) == 20
    assert [(one.name, one.shown, one.bar) for one in figures if not one.met] == []


def test_every_promise_is_simulated_and_can_fail() -> None:
    figures = statistics.run(("simulations=4",))
    assert len(figures) == 20
    assert all(one.bar for one in figures)
    assert any(not one.met for one in figures)  # four simulations cannot lie between 94 and 96%
