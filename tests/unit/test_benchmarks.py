"""The benchmarks measure what they say: their data, their bars, their table and their exit code."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from collections import Counter
from difflib import SequenceMatcher
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import __main__ as command_line
from benchmarks import banking77, command, short_rows
from benchmarks.figure import Failed, Figure, Skipped, at_least, at_most
from tunesmith.privacy.find import find


def test_of_the_short_rows_some_are_copies_and_some_private() -> None:
    texts = list(short_rows.lines(3000))
    first: dict[str, int] = {}
    for number, text in enumerate(texts):
        first.setdefault(text, number)
    assert [number for number, text in enumerate(texts) if first[text] != number] == list(range(19, 3000, 20))
    rows = [json.loads(text) for text in texts]
    words = [len(f"{row['question']} {row['answer']}".split()) for row in rows]
    assert 48 < sum(words) / len(words) < 54
    near = [number for number in range(3000) if short_rows.is_near(number)]
    assert near == list(range(5, 3000, 10))
    for number in near:
        original = rows[short_rows.original(number, 0)]
        assert SequenceMatcher(None, rows[number]["question"], original["question"]).ratio() > 0.97
    private = [number for number in range(3000) if short_rows.is_private(number)]
    assert 3000 / 50 < len(private) < 1.3 * 3000 / 50
    held = [number for number, row in enumerate(rows) if find(row["question"])]
    assert set(held) <= set(private)
    assert len(held) >= 0.95 * len(private)
    assert texts == list(short_rows.lines(3000))
    assert texts != list(short_rows.lines(3000, seed=1))


def test_what_a_command_and_its_own_processes_take_is_measured_together() -> None:
    eats = "import time; data = bytearray(b'x') * 60_000_000; time.sleep(0.8)"
    both = f"import subprocess, sys; other = subprocess.Popen([sys.executable, '-c', {eats!r}]); {eats}; other.wait()"
    measured = command.measure_all([sys.executable, "-c", both])
    assert 120 < measured.megabytes < 200
    assert 0.8 < measured.seconds < 60
    assert 0 < measured.processor < 30
    with pytest.raises(Failed, match="ended with 2"):
        command.measure_all([sys.executable, "-c", "raise SystemExit(2)"])


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
