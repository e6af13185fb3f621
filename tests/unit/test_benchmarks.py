"""The benchmarks measure what they say: their data, their bars, their table and their exit code."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import __main__ as command_line
from benchmarks import banking77, command, million_rows
from benchmarks.figure import Failed, Figure, Skipped, at_least, at_most


def test_each_twentieth_of_the_million_rows_repeats_an_earlier_one() -> None:
    lines = list(million_rows.lines(2000))
    first: dict[str, int] = {}
    for number, line in enumerate(lines):
        first.setdefault(line, number)
    repeats = [number for number, line in enumerate(lines) if first[line] != number]
    assert repeats == list(range(19, 2000, 20))
    words = [len(f"{row['question']} {row['answer']}".split()) for row in map(json.loads, lines)]
    assert 20 <= min(words) < 25
    assert 55 < max(words) <= 60
    assert lines == list(million_rows.lines(2000))
    assert lines != list(million_rows.lines(2000, seed=1))


def test_a_draw_has_ten_rows_of_each_intent_and_follows_from_its_seed(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    rows = [(f"text {number}", f"intent {number % 3}") for number in range(90)]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "category"), *rows])
    draws = [banking77.draw(path, seed) for seed in (0, 1)]
    for drawn in draws:
        assert Counter(category for _, category in drawn) == {"intent 0": 10, "intent 1": 10, "intent 2": 10}
        assert set(drawn) <= set(rows)
    assert set(draws[0]) != set(draws[1])
    assert draws[0] == banking77.draw(path, 0)


def test_without_the_shared_data_a_benchmark_is_skipped_with_the_place_it_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "SHARED", tmp_path)
    with pytest.raises(Skipped, match="banking77"):
        banking77.run()
    assert command_line.show("banking77", []) == ([], f"skipped: the data is not there: {tmp_path / 'banking77'}")
    assert f"skipped: the data is not there: {tmp_path / 'banking77'}" in capsys.readouterr().out


def test_a_bar_is_met_at_the_bar_itself() -> None:
    assert [at_least("a", value, "%", 86).met for value in (85.9, 86.0)] == [False, True]
    assert [at_most("a", value, "s", 0.5).met for value in (0.5, 0.51)] == [True, False]
    assert at_least("a", 1, "%", 92.5).bar == "≥ 92.5 %"


@pytest.mark.parametrize(("met", "ended"), [(True, 0), (None, 0), (False, 1)])
def test_a_missed_bar_ends_with_1(
    met: bool | None, ended: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = [Figure("speed", 1234.5, "rows/s"), Figure("memory", 12.34, "MB", "< 9 MB", met, "why", 5)]
    monkeypatch.setitem(sys.modules, "benchmarks.help", SimpleNamespace(run=lambda overrides: figures))
    monkeypatch.setattr(sys, "argv", ["benchmarks", "help"])
    assert command_line.main() == ended
    said = [[cell.strip() for cell in line.strip("|").split("|")] for line in capsys.readouterr().out.splitlines()]
    assert ["help: python -m benchmarks help"] in said
    assert ["speed", "1,234 rows/s", "", "", ""] in said
    reached = {True: "PASS", False: "not reached", None: "not held to it"}[met]
    assert said[-1] == ["5", "memory", "12.3 MB", "< 9 MB", reached]


def test_figures_of_other_settings_are_held_against_no_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = [at_least("accuracy", 1.0, "%", 86)]
    monkeypatch.setitem(sys.modules, "benchmarks.help", SimpleNamespace(run=lambda overrides: figures))
    [figure], why = command_line.show("help", ["train.epochs=1"])
    assert (figure.met, why) == (None, "")
    said = capsys.readouterr().out
    assert "--set train.epochs=1" in said
    assert "not reached" not in said


def test_a_command_is_measured_and_another_exit_code_fails() -> None:
    eats = "import time; data = bytearray(b'x') * 60_000_000; time.sleep(0.2)"
    script = f"from benchmarks.command import measure; import sys; print(measure([sys.executable, '-c', {eats!r}]))"
    # In a process of its own: the peak begins with that of the process that measures, and pytest is large.
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=command.environment()
    ).stdout
    found = re.fullmatch(r"Measured\(seconds=(.+), megabytes=(.+)\)", said.strip())
    assert found
    assert 0.2 < float(found[1]) < 60
    assert 60 < float(found[2]) < 120
    with pytest.raises(Failed, match="ended with 2"):
        command.measure([sys.executable, "-c", "raise SystemExit(2)"])
