"""Benchmarks beside peers: each side in turn, in a process of its own, and what follows from what they told."""

from __future__ import annotations

import csv
import importlib
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import (
    __main__,
    answers,
    beside_trl,
    classifier_all,
    classifier_few,
    overrides,
    sides,
    training_chat,
    training_planning,
    training_rows,
)
from benchmarks.command import ROOT
from benchmarks.figure import Failed, Skipped
from benchmarks.peers import environment
from benchmarks.sides import Side
from tunesmith.products import EncodedRow

TELLS = """\
import json, os, sys
job = json.load(open(sys.argv[1]))
print("progress")
print(json.dumps({**job, "seconds": job["seconds"], "omp": "OMP_WAIT_POLICY" in os.environ}))
sys.exit(job.get("code", 0))
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A file of the data set's form: 400 rows, by intent as the real one."""
    with (tmp_path / "train.csv").open("w", encoding="utf-8", newline="") as file:
        rows = [(f"text {number}", f"intent_{number // 20}") for number in range(400)]
        csv.writer(file).writerows([("text", "category"), *rows])
    return tmp_path


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each side's script tells its own job."""
    script = tmp_path / "tells.py"
    script.write_text(TELLS, encoding="utf-8")
    monkeypatch.setattr(sides, "interpreter", lambda side: [sys.executable, str(script)])


def test_each_benchmark_that_is_named_can_be_run_and_stands_in_the_readme() -> None:
    readme = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    files = (ROOT / "benchmarks").glob("*.py")
    assert sorted(__main__.NAMES) == sorted(path.stem for path in files if "\ndef run(" in path.read_text("utf-8"))
    for name in __main__.NAMES:
        assert callable(importlib.import_module(f"benchmarks.{name}").run)
        assert f"| `{name}` |" in readme
    assert __main__.named("classifier") == ["classifier_all", "classifier_few"]
    assert __main__.named("help") == ["help"]
    assert __main__.named("train") == []


def test_a_benchmark_that_is_skipped_stands_in_the_last_table() -> None:
    lines = __main__.summary([("planning", [], "skipped: no data"), ("help", [], "FAILED: it broke")])
    assert [line.split("|")[2].strip() for line in lines[2:]] == ["planning", "help"]
    assert [line.split("|")[-2].strip() for line in lines[2:]] == ["skipped", "FAILED"]


def test_sides_take_turns_and_a_peer_gets_none_of_our_thread_settings(
    told: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sides, "ROUNDS", 2)
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    both = [Side("ours", "ours.py", job={"seconds": 1.0}), Side("theirs", "trl_sft.py", "trl", {"seconds": 4.0})]
    measured = sides.take_turns(both, {"rows": "r"}, tmp_path)
    turns = [line.split(": ")[1].split()[0] for line in capsys.readouterr().err.splitlines()]
    assert turns == ["ours", "theirs", "ours", "theirs"]
    assert [one["omp"] for one in measured["ours"]] == [True, True]
    assert [one["omp"] for one in measured["theirs"]] == [False, False]
    assert all(one["wall_seconds"] > 0 and one["rows"] == "r" for runs in measured.values() for one in runs)


def test_a_side_that_does_not_end_well_fails_the_benchmark(told: None, tmp_path: Path) -> None:
    with pytest.raises(Failed, match="ended with 3"):
        sides.run_side(Side("ours", "ours.py", job={"seconds": 1.0, "code": 3}), {}, tmp_path)


def test_speed_is_of_the_medians_and_held_to_its_bar() -> None:
    measured = {
        "ours": [{"seconds": one, "megabytes": 10} for one in (2.0, 1.0, 9.0)],
        "TRL": [{"seconds": one, "megabytes": 20} for one in (16.0, 30.0, 15.0)],
    }
    *speed, times = sides.speeds("chat", measured, 32, {"TRL": 8.5}, number=1)
    assert [figure.value for figure in speed] == [16, 2]
    assert (times.value, times.met, times.number) == (8, False, 1)


@pytest.mark.parametrize("wrong", ["rows=0", "rows=many", "row=3"])
def test_a_setting_that_a_benchmark_does_not_know_fails_it(wrong: str) -> None:
    with pytest.raises(Failed, match="rows"):
        overrides.numbers([wrong], rows=256)
    assert overrides.numbers(["rows=3"], rows=256, trained=1) == {"rows": 3, "trained": 1}
    assert overrides.split(["rows=3", "train.epochs=1"], rows=256) == ({"rows": 3}, ["train.epochs=1"])


def test_an_environment_that_could_not_be_made_is_made_anew_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNESMITH_PEERS", str(tmp_path))
    asked: list[list[str]] = []
    ends = {"install": 1}

    def runs(command: list[str], **_: Any) -> SimpleNamespace:
        asked.append(command)
        (tmp_path / "llamafactory").mkdir(exist_ok=True)
        return SimpleNamespace(returncode=ends.get(command[3], 0))

    monkeypatch.setattr(subprocess, "run", runs)
    with pytest.raises(Skipped, match="llamafactory could not be installed"):
        environment.python("llamafactory")
    ends["install"] = 0
    for _ in range(2):
        assert environment.python("llamafactory") == tmp_path / "llamafactory" / "bin" / "python"
    assert [command[3] for command in asked[2:]] == ["--clear", "install", "uninstall"]
    assert len(asked) == 5


def test_rows_are_not_in_the_order_of_their_intents_and_a_wrong_answer_is_wrong(data: Path) -> None:
    chats = training_rows.chat(data, 64)
    first = Counter(row["completion"][0]["content"] for row in chats[:16])
    assert len(first) > 8
    assert {row["prompt"][0]["role"] for row in training_rows.chat(data, 64, system=None)} == {"user"}
    pairs = training_rows.preferences(data, 20)
    assert len(pairs) == 20
    assert all(row["chosen"] != row["rejected"] for row in pairs)
    prompts = [row["prompt"][-1]["content"].split("\n\n") for row in training_rows.documents(data, 40)]
    assert len({document for document, _ in prompts}) == 4
    assert len({question for _, question in prompts}) == 10


def test_the_steps_losses_must_be_as_many_and_within_the_bar() -> None:
    found = training_chat.losses_apart([2.0, 1.0, 0.5], [2.0, 1.00005, 0.5])
    assert (round(found.value, 9), found.met) == (0.00005, True)
    assert "in step 2: 1.000000 and 1.000050" in found.note
    assert training_chat.losses_apart([2.0], [2.0002]).met is False
    with pytest.raises(Failed, match="2 steps of ours, and 1"):
        training_chat.losses_apart([2.0, 1.0], [2.0])


def test_memory_is_held_against_that_of_the_defaults() -> None:
    measured = {beside_trl.OURS.name: [{"megabytes": 500}], beside_trl.DEFAULTS.name: [{"megabytes": 800}]}
    assert (training_chat.memory(measured).value, training_chat.memory(measured).met) == (62.5, False)


def test_planning_that_grows_like_n_log_n_reaches_its_bar_and_a_square_does_not() -> None:
    sizes = [62_500 << doublings for doublings in range(5)]
    linear = [{"rows": size, "seconds": [1e-5 * size, 9e-5 * size, 1e-5 * size]} for size in sizes]
    square = [{"rows": size, "seconds": [1e-9 * size**2]} for size in sizes]
    assert training_planning.growth("planning", linear, "seconds").met is True
    found = training_planning.growth("planning", square, "seconds")
    assert (round(found.value, 6), found.met) == (2, False)


def test_a_row_to_plan_is_the_beginning_of_one_row_and_the_end_of_another() -> None:
    from benchmarks.peers.planned import crossed, plan_at_once, plan_epoch

    rows = [EncodedRow(str(n), [n] * (n + 5), [False] * 4 + [True] * (n + 1), None, 1.0, 4) for n in range(10)]
    made = list(crossed(rows, 300))
    assert len({row.id for row in made}) == 300
    for row in made:
        last = row.tokens[-1]
        kinds = list(dict.fromkeys(row.tokens))
        assert len(row.tokens) == len(row.trained) == last + 5
        assert len(kinds) <= 2
    assert any(len(set(row.tokens)) == 2 for row in made)
    job = {"batch_size": 16, "budget": 64, "workers": 2}
    assert plan_epoch(made, job) > 0
    assert plan_at_once(made, job) > 0


def test_equal_accuracy_means_that_ours_is_not_below() -> None:
    def runs(right: int) -> list[dict[str, Any]]:
        return [{"right": [1] * right + [0] * (100 - right)}]

    ours, trainer, less = classifier_all.accuracies("c", {"ours": runs(93), "Trainer": runs(95)}, bar=93.4)
    assert (ours.value, ours.met, trainer.value, less.value, less.met) == (93, False, 95, -2, False)
    assert "interval" in less.note
    assert classifier_all.accuracies("c", {"ours": runs(95), "Trainer": runs(95)}, bar=93.4)[2].met is True


def test_some_rows_are_of_all_intents() -> None:
    rows = [(f"text {number}", str(number // 10)) for number in range(1000)]
    assert len({label for _, label in classifier_all.some(rows, 100)}) == 100
    assert classifier_all.some(rows, 5000) == rows


def test_few_rows_are_told_by_the_means_of_the_draws() -> None:
    found = {"ours": [(86.0, 40.0), (88.0, 60.0)], "SetFit": [(80.0, 100.0), (90.0, 50.0)]}
    ours, setfit, less, times = classifier_few.figures(found)
    assert (ours.value, ours.met) == (87, False)
    assert (setfit.value, less.value, less.met, times.value, times.met) == (85, 2, True, 1.5, True)
    assert ours.note == "draws: 86.0 % in 40 s, 88.0 % in 60 s"


def test_what_a_side_prints_last_is_read(tmp_path: Path, told: None) -> None:
    side = Side("ours", "ours.py", job={"seconds": 1.0, "settings": {"packing": True}})
    assert sides.run_side(side, {"settings": {}, "model": "m"}, tmp_path)["settings"] == {"packing": True}
    assert json.loads((tmp_path / "job.json").read_text(encoding="utf-8"))["model"] == "m"


def test_without_the_templates_head_rows_share_what_happens_to_be_equal() -> None:
    from benchmarks.peers.ours import without_head

    rows = [EncodedRow(str(n), [1, 2, 3, n, 9], [False] * 3 + [True] * 2, None, 1.0, 3) for n in (4, 4, 5)]
    assert [row.tokens for row in without_head(rows)] == [[4, 9], [4, 9], [5, 9]]
    assert {tuple(row.trained) for row in without_head(rows)} == {(True, True)}
    assert {row.prompt_tokens for row in without_head(rows)} == {0}


def given(seconds: float, texts: list[str], prompt_tokens: int = 9) -> list[dict[str, Any]]:
    return [{"seconds": seconds, "answers": texts, "prompt_tokens": prompt_tokens, "megabytes": 1.0}]


def test_answers_are_held_to_the_better_setting_of_the_harness_and_must_be_the_same_answers() -> None:
    first, second = (side.name for side in answers.SIDES[2:])
    measured = {
        "ours": given(1.0, ["a", "b"]),
        answers.ROW_BY_ROW: given(6.0, ["a", "b"]),
        first: given(3.0, ["a", "x"]),
        second: given(2.0, ["a", "x"]),
    }
    found = {figure.name: (figure.value, figure.met) for figure in answers.figures(measured, 2)}
    assert found[f"answers, ours over {answers.ROW_BY_ROW}"] == (6.0, True)
    assert found[f"answers, ours over {second}"] == (2.0, True)
    assert not any(first in name for name in found)
    assert found[f"answers that are {second}'s too"] == (0.5, False)


def test_sides_that_were_asked_other_tokens_are_not_compared() -> None:
    measured = {"ours": given(1.0, ["a"]), answers.ROW_BY_ROW: given(1.0, ["a"], prompt_tokens=8)}
    with pytest.raises(Failed, match="was asked 8 tokens, ours 9"):
        answers.figures(measured, 1)
