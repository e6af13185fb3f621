"""Each verb over a test double of Project: what it asks of the library, what it says, how it ends."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tunesmith.ask import Answer
from tunesmith.cli.arguments import STAGES
from tunesmith.errors import Cancelled, Faults, InputError, TunesmithError
from tunesmith.events import Event
from tunesmith.example import Score
from tunesmith.pipeline import order
from tunesmith.pipeline.run import RunResult
from tunesmith.pipeline.stale import StageStatus
from tunesmith.products import Report, TunedModel
from tunesmith.shown_batch import ShownBatch, ShownBranch
from tunesmith.shown_rows import ShownRow
from tunesmith.stages.collect.settings import SourceSettings

Command = Callable[..., Any]


CRITERION = {"metric": "accuracy", "at_least": 0.8, "value": 0.9, "low": 0.79, "high": 0.96, "n": 50, "state": "met"}


def report(folder: Path, code: str = "met") -> Report:
    """A report with one metric, base 20% and tuned 90%."""
    decisions = {"met": "ship", "not_met": "do_not_ship"}
    verdict = {
        "decision": decisions.get(code, "not_enough_evidence"),
        "harms": [],
        "forgot": False,
        "rows_needed": None,
        "code": code,
        "words": "The goal is met: accuracy is 90.0%.",
        "criteria": [CRITERION],
        "comparison": {"code": "better", "metric": "accuracy", "against": "base", "words": "Tuning beats the base."},
    }
    scores = {"base": [Score("accuracy", 0.2, 50, 0.11, 0.33)], "tuned": [Score("accuracy", 0.9, 50, 0.79, 0.96)]}
    return Report(folder, scores, [], verdict)


def result(folder: Path, *, made: list[str], code: str = "met") -> RunResult:
    tuned = TunedModel(folder / "model", "classifier", {}, (), {}, {})
    return RunResult(made, [], test=report(folder, code), train=tuned)


def test_the_words_for_the_stages_are_the_pipelines() -> None:
    assert tuple(STAGES) == order.STAGES


def test_every_stage_word_is_a_verb_that_makes_and_shows(project: Any, command: Command) -> None:
    for word in STAGES:
        project.error = InputError("told", "stop here")
        assert command(word).code == 2
        assert project.calls[-1] == ("run", {"to": word, "overrides": [], "from_scratch": False})


def test_run_tells_verdict_scores_places_and_what_is_next(project: Any, command: Command, tmp_path: Path) -> None:
    project.result = result(tmp_path, made=["train", "test"])
    ended = command("run")
    assert ended.code == 0
    assert "The goal is met" in ended.out
    assert "Tuning beats the base." in ended.out
    assert "base 20.0% (11.0% to 33.0%) → tuned 90.0% (79.0% to 96.0%) on 50 test rows" in ended.out
    assert str(tmp_path / "report.html") in ended.out
    assert str(tmp_path / "model") in ended.out
    assert "tunesmith ask" in ended.out
    assert "tunesmith show test" in ended.out


@pytest.mark.parametrize(("code", "exit_code"), [("met", 0), ("no_goal", 0), ("not_met", 3), ("too_few_examples", 3)])
def test_run_ends_with_3_when_the_goal_is_not_shown_to_be_met(
    project: Any, command: Command, tmp_path: Path, code: str, exit_code: int
) -> None:
    project.result = result(tmp_path, made=["test"], code=code)
    assert command("run").code == exit_code


@pytest.mark.parametrize("verb", ["run", "test"])
@pytest.mark.parametrize(("code", "exit_code"), [("met", 0), ("not_met", 3), ("too_few_examples", 4), ("no_goal", 4)])
def test_the_gate_opens_for_ship_alone(
    project: Any, command: Command, tmp_path: Path, verb: str, code: str, exit_code: int
) -> None:
    project.result = result(tmp_path, made=["test"], code=code)
    assert command(verb, "--gate").code == exit_code


@pytest.mark.parametrize("verb", ["run", "test"])
def test_the_verdict_as_json_is_all_that_stands_on_stdout(
    project: Any, command: Command, tmp_path: Path, verb: str
) -> None:
    project.result = result(tmp_path, made=["test"], code="not_met")
    ended = command(verb, "--gate", "--json")
    [line] = ended.out.splitlines()
    told = json.loads(line)
    assert (told["decision"], told["goal"], told["exit_code"], ended.code) == ("do_not_ship", "not_met", 3, 3)
    assert told["criteria"] == [CRITERION]
    assert told["report"] == str(tmp_path / "report.html")
    assert "The goal is met" in ended.err


def test_a_gate_on_a_run_that_ends_before_the_test_is_refused(project: Any, command: Command) -> None:
    ended = command("run", "--gate", "--to", "train")
    assert ended.code == 2
    assert "[gate_without_test]" in ended.err
    assert ("run", {}) not in project.calls


def test_a_run_with_nothing_to_do_says_so_and_where_the_report_is(
    project: Any, command: Command, tmp_path: Path
) -> None:
    project.result = result(tmp_path, made=[])
    project.events = [Event("stage_skipped", word, {"why": "up to date"}) for word in STAGES]
    ended = command("run")
    assert ended.out.startswith("Everything is up to date; nothing to do.\n")
    assert "report.html" in ended.out


def test_run_hands_its_options_to_the_library(project: Any, command: Command) -> None:
    command("run", "--to", "split", "--set", "split.near=0.5", "--set", "seed=3", "--from-scratch")
    keys = {"to": "split", "overrides": ["split.near=0.5", "seed=3"], "from_scratch": True}
    assert project.calls == [("open", None), ("run", keys)]


@pytest.mark.parametrize("words", [["--project", "there", "run"], ["run", "--project", "there"], ["run", "there"]])
def test_the_project_can_be_named_anywhere(project: Any, command: Command, words: list[str]) -> None:
    command(*words)
    assert project.calls[0] == ("open", "there")


@pytest.mark.parametrize("verb", ["run", "status", *STAGES])
def test_the_verbs_of_stages_take_the_projects_folder(project: Any, command: Command, verb: str) -> None:
    project.error = InputError("told", "stop here")
    command(verb, "there")
    assert project.calls[0] == ("open", "there")


@pytest.mark.parametrize("verb", ["run", "train", "improve"])
def test_a_project_named_twice_is_refused(project: Any, command: Command, verb: str) -> None:
    ended = command(verb, "here", "--project", "there")
    assert ended.code == 2
    assert "named twice" in ended.err
    assert project.calls == []


@pytest.mark.parametrize("words", [["run", "my shop"], ["--project", "my shop", "run"]])
def test_what_is_next_works_from_where_the_user_is(
    project: Any, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    project.result = result(tmp_path, made=["train", "test"])
    inside = tmp_path / "my shop" / "data"
    inside.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    out = command(*words).out
    assert "next    tunesmith ask \"…\" --project 'my shop'      try it beside the base" in out
    assert "        tunesmith show test --project 'my shop'    all scores" in out
    monkeypatch.chdir(inside)
    for here in ([], ["--project", ".."]):
        out = command("run", *here).out
        assert 'next    tunesmith ask "…"      try it beside the base' in out
        assert "        tunesmith show test    all scores" in out


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (TunesmithError("failed", "the loss is not finite", "step 3", "lower it"), 1, "step 3: the loss is not finite"),
        (InputError("wrong", "unknown key 'trian'", "tunesmith.yaml:3"), 2, "tunesmith.yaml:3: unknown key 'trian'"),
        (Faults([InputError("a", "one [red]"), InputError("b", "two")], more=3), 2, "5 faults:\n- one [red] [a]"),
        (OSError(errno.ENOSPC, "No space left on device", "/x"), 2, "the disk is full"),
        (OSError(errno.EROFS, "Read-only file system", "/x"), 2, "no permission to use this place"),
        (OSError(errno.EIO, "Input/output error", "/x"), 1, "Input/output error"),
        (Cancelled(), 130, "Stopped by you; what was finished is kept. `tunesmith run` goes on from here."),
        (KeyboardInterrupt(), 130, "The same command goes on from there"),
        (ValueError("odd \x1b[2J"), 1, "a bug in Tunesmith: ValueError: odd ␛[2J; run with --debug for the traceback"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_each_error_has_its_words_and_its_exit_code(
    project: Any, command: Command, error: BaseException, code: int, words: str
) -> None:
    project.error = error
    ended = command("run")
    assert ended.code == code
    assert words in ended.err
    assert "Traceback" not in ended.err


def test_debug_shows_the_traceback_of_a_bug(project: Any, command: Command) -> None:
    project.error = ValueError("odd")
    ended = command("run", "--debug")
    assert ended.code == 1
    assert "Traceback (most recent call last)" in ended.err


def test_add_hands_columns_and_options_to_the_library(project: Any, command: Command) -> None:
    look = SimpleNamespace(
        path="t.csv",
        shape="columns",
        mapping={"input": "body", "output": ["category", "reply"], "tags": []},
        encoding="utf-8",
        rows=(("My [b]card[/b] was\ncharged twice", '{"category": "billing"}'),),
        faults=(InputError("empty_answer", "the answer is empty", "t.csv:7"),) * 25,
    )
    project.looks = [look]
    ended = command(
        "add",
        "t.csv",
        "u.csv",
        "--input",
        "body",
        "--output",
        "category",
        "reply",
        "--part",
        "test",
        "--delimiter",
        r"\t",
    )
    assert ended.code == 0
    keys: dict[str, Any] = {"input": "body", "output": ["category", "reply"], "part": "test", "delimiter": "\t"}
    assert project.calls[-1] == ("add", (["t.csv", "u.csv"], keys))
    assert SourceSettings(path="t.csv", **keys)
    for words in (
        "input: body; output: category, reply",
        "utf-8",
        "My [b]card[/b] was charged twice",
        "t.csv:7: the answer",
    ):
        assert words in ended.out
    assert "… and 5 more" in ended.out


def test_add_offers_what_the_settings_know(project: Any, command: Command) -> None:
    tried = 0
    for key in ("shape", "part", "bad_rows"):
        annotation = SourceSettings.model_fields[key].annotation
        values = [value for item in getattr(annotation, "__args__", ()) for value in getattr(item, "__args__", (item,))]
        for value in (value for value in values if isinstance(value, str)):
            assert command("add", "t.csv", f"--{key.replace('_', '-')}", value).code == 0
            tried += 1
    assert tried == 7 + 3 + 2


def test_status_tells_why_a_stage_is_stale(project: Any, command: Command) -> None:
    out = command("status").out
    assert "made     312 rows, set aside 2" in out
    assert "stale    tickets.csv changed" in out
    assert "tunesmith run makes clean, train." in out


ANSWERS = [
    Answer("base", "I am \x1b[31mnot\nsure", 0.41, 1.2, True),
    Answer("tuned", '{"category": "billing"}', 0.97, 0.8, False),
]


def test_ask_shows_the_base_beside_the_tuned_model(project: Any, command: Command) -> None:
    project.answers = ANSWERS
    out = command("ask", "Where is my card?", "And mine?").out
    assert [text for verb, text in project.calls if verb == "ask"] == ["Where is my card?", "And mine?"]
    assert "base (confidence 0.41, 1.2 s; too unsure, so it goes to a person)\n    I am ␛[31mnot\n    sure\n" in out
    assert 'tuned (confidence 0.97, 800 ms)\n    {"category": "billing"}\n' in out


def test_ask_for_machines_gives_one_json_object_a_line(project: Any, command: Command) -> None:
    project.answers = ANSWERS
    lines = [json.loads(line) for line in command("ask", "--json", "one", "two\n").out.splitlines()]
    assert [line["input"] for line in lines] == ["one", "two\n"]
    assert lines[0]["answers"][0]["text"] == "I am \x1b[31mnot\nsure"
    assert lines[0]["answers"][1] == {
        "candidate": "tuned",
        "text": '{"category": "billing"}',
        "confidence": 0.97,
        "seconds": 0.8,
        "handed_off": False,
        "in_use": "",
    }


ROWS = [
    ShownRow("a1", "t.csv:2", [("<|im_start|>user\n[hi]<|im_end|>\n", False), ("hello<|im_end|>", True)], 12),
    ShownRow("b2", "t.csv:3", [("\x1b[2J", False), ("bye", True)], 5),
]


def test_format_marks_trained_tokens_in_a_pipe(project: Any, command: Command) -> None:
    project.rows = ROWS
    out = command("format", "--show", "2").out
    assert "2 rows, 17 tokens. Trained tokens stand between « and »" in out
    assert "t.csv:2 (id a1): 12 tokens" in out
    assert "<|im_start|>user\n[hi]<|im_end|>\n«hello<|im_end|>»\n" in out
    assert "␛[2J«bye»\n" in out


def test_format_colours_trained_tokens_in_a_terminal(
    project: Any, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    project.rows = ROWS
    out = command("format", "--show", "1").out
    assert "\x1b[1;32mhello<|im_end|>" in out
    assert "«" not in out


def test_format_marks_trained_tokens_where_colour_is_unwanted(
    project: Any, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    project.rows = ROWS
    assert "«hello<|im_end|>»" in command("format", "--show", "1").out


def test_format_shows_the_label_of_a_classifiers_row(project: Any, command: Command) -> None:
    project.rows = [ShownRow("a1", "t.csv:2", [("[CLS] hi [SEP]", False)], 3, "label: greeting")]
    out = command("format", "--show").out
    assert "predict the label" in out
    assert "3 tokens, label: greeting" in out
    assert ("show_rows", 3) in project.calls
    assert "The first training step, 64 rows: 900 tokens, 990 computed" in out
    assert "rows share nothing" in out


def test_format_shows_what_the_rows_of_a_step_share_once(
    project: Any, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = "<|im_start|>system\nYou are Fern. " + "Answer the customer. " * 20 + "<|im_start|>user\n"
    tree = [
        ShownBranch(0, 3, 82, 82, 164, [(long, False)]),
        ShownBranch(1, 2, 1, 1, 1, [("Please", False)]),
        ShownBranch(2, 1, 7, 7, 0, [(" cancel\x1b[2J", False), ("Done.<|im_end|>", True)]),
    ]
    project.rows = ROWS
    project.batch = ShownBatch(3, 300, 90, False, False, [tree])
    lines = command("format", "--show", "1", "--set", "train.batch_size=3").out.splitlines()
    assert project.calls[-1] == ("show_batch", ["train.batch_size=3"])
    assert lines[-6] == "A training step (rows are not split yet), 3 rows: 300 tokens, 90 computed"
    assert lines[-4] == "tree 1 of 1: 90 tokens computed"
    assert lines[-3].startswith("3 rows share 82 tokens (164 saved): <|im_start|>system⏎You are Fern.")
    assert lines[-3].endswith("<|im_start|>user⏎")
    assert len(lines[-3]) <= 120
    assert lines[-2:] == ["  2 rows share 1 token (1 saved): Please", "    7 tokens:  cancel␛[2J«Done.<|im_end|>»"]
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[1;32mDone.<|im_end|>" in command("format", "--show", "1").out


def test_clean_withdraws_decisions(project: Any, command: Command) -> None:
    ended = command("clean", "--undo", "a1", "conflict")
    assert ended.code == 0
    assert project.calls[-1] == ("undo", ["a1", "conflict"])
    assert "1 decision is withdrawn." in ended.out
    assert "Rules withdrawn: conflict" in ended.out


def test_clean_restores_rows(project: Any, command: Command) -> None:
    ended = command("clean", "--restore", "a1", "duplicate")
    assert ended.code == 0
    assert project.calls[-1] == ("restore", ["a1", "duplicate"])
    assert "2 rows are kept from now on: a1, duplicate" in ended.out


def test_base_is_fetched_again(project: Any, command: Command) -> None:
    assert command("base", "--refetch").code == 0
    assert project.calls[-1] == ("refetch_base", None)


def test_the_progress_of_a_verb_that_shows_goes_to_stderr(project: Any, command: Command) -> None:
    project.rows = ROWS
    project.events = [
        Event("stage_started", "format"),
        Event("stage_finished", "format", {"counts": {}, "seconds": 1.0}),
    ]
    ended = command("format", "--show", "1")
    assert "started" not in ended.out
    assert "format   started" in ended.err


def test_ask_says_which_set_up_is_in_use(project: Any, command: Command) -> None:
    project.answers = [*ANSWERS, Answer("examples", "ok", 0.5, 0.1, False, "the base with 4 similar training examples")]
    out = command("ask", "Where is my card?").out
    assert "examples (confidence 0.50, 100 ms; in use: the base with 4 similar training examples)\n    ok\n" in out


def test_advise_writes_the_chosen_set_up(project: Any, command: Command) -> None:
    out = command("advise", "--use", "examples").out
    assert project.calls[-1] == ("use", "examples")
    assert "`tunesmith ask` and `tunesmith serve` use the base with examples from now on" in out


def test_status_waits_for_no_stage_that_is_made_on_request(
    project: Any, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = [StageStatus("advise", "missing", "not made yet", None)]
    monkeypatch.setattr(project, "status", lambda: states)
    out = command("status").out
    assert "on request" in out
    assert "Everything is up to date." in out
