"""Steps that are no stage's: each is told when it begins, and how far it is."""

from __future__ import annotations

from typing import Any

import pytest

from tunesmith.cli import steps
from tunesmith.cli.screen import Screen


def test_where_nothing_is_written_over_each_step_is_told_once_and_then_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(steps.time, "monotonic", lambda: now)
    with steps.telling(Screen(stderr=True), "loading") as tell:
        tell("writing", 0, 0)
        for done in range(1, 31):
            now += 1.0
            tell("asking", done, 30)
    said: Any = capsys.readouterr().err.splitlines()
    assert said[:2] == ["writing …", "asking … 1 of 30 rows, 29 s left"]
    assert said[2:] == ["asking … 11 of 30 rows, 19 s left", "asking … 21 of 30 rows, 9.0 s left"]


def test_a_step_told_before_any_of_it_is_done_is_shown_at_once_and_timed_from_there(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(steps.time, "monotonic", lambda: now)
    with steps.telling(Screen(stderr=True), "loading") as tell:
        now += 100.0
        tell("asking", 0, 30)
        now += 10.0
        tell("asking", 10, 30)
    said: Any = capsys.readouterr().err.splitlines()
    assert said == ["asking …", "asking … 10 of 30 rows, 20 s left"]
