"""Accepting a proposal: in parts, once, whatever is killed on the way; and nothing that a user wrote is lost."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tunesmith import InputError, Project
from tunesmith.accept import read_labels, states, take_labels
from tunesmith.artifact import write_json
from tunesmith.cli.main import main
from tunesmith.decisions import Decision
from tunesmith.durable_lines import append
from tunesmith.example_parquet import RowWriter
from tunesmith.products import ProposedItem, ProposedRow
from tunesmith.rounds.switch import ACCEPTED

SETTINGS = """\
version: 1
name: accepting
goal: {input: text, output: label, labels: [a, b]}
collect:  # mine
  - {path: rows.csv, input: text, output: label}
"""
ITEMS = (
    ProposedItem("relabel", "relabel", "Relabel 2 rows", ("why",), None, "not known", 2),
    ProposedItem("remove-far", "remove", "Remove 1 row", rows=1),
    ProposedItem("add", "add", "Add 2 rows", rows=2),
    ProposedItem("label", "label", "Label 2 rows", rows=2),
    ProposedItem("collect-a-b", "collect", "Collect more"),
    ProposedItem("epochs", "settings", "Train longer", setting=("train.epochs", 4.5)),
)
TURNS = json.dumps(
    [{"role": role, "content": text} for role, text in (("user", "hi"), ("assistant", "yes?"), ("user", "seven"))]
)
ROWS = (
    ProposedRow("relabel", "r1", "one", "a", "b", "it looks wrong", "rows.csv:1"),
    ProposedRow("relabel", "r2", "two", "b", "a", "it looks wrong", "rows.csv:2"),
    ProposedRow("remove-far", "r3", "three", "b", "", "like no other", "rows.csv:3"),
    ProposedRow("add", "n1", "four", "", "a", "a person's answer", "reviews"),
    ProposedRow(
        "add", "n2", "user: hi\nassistant: yes?\nuser: seven", "", "b", "a person's answer", "inbox 3f2a", TURNS
    ),
    ProposedRow("label", "p1", "five", "a", "", "unsure", "pool.txt:1"),
    ProposedRow("label", "p2", "six", "b", "", "unsure", "pool.txt:2"),
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with a proposal and nothing else."""
    (tmp_path / "tunesmith.yaml").write_text(SETTINGS, encoding="utf-8")
    opened = Project.open(tmp_path)
    folder = opened.store.begin("improve", "1")
    facts = {"rows_looked_at": 9, "test_rows": 5, "pool": 2, "metric": "accuracy"}
    write_json(folder / "proposal.json", {"items": [asdict(item) for item in ITEMS], "facts": facts})
    with RowWriter(folder / "rows.parquet", pa.schema([(name, pa.string()) for name in asdict(ROWS[0])])) as writer:
        for row in ROWS:
            writer.write(asdict(row))
    opened.store.finish("improve", "1", made_by={}, counts={}, seconds=1)
    return opened


def effects(project: Project) -> dict[str, Any]:
    """Everything that accepting changes."""
    files = sorted((project.root / "improve").glob("*"))
    settings = project.settings
    return {
        "decisions": {id: (one.action, one.answer) for id, one in project.decisions().rows.items()},
        "files": {path.name: path.read_text(encoding="utf-8") for path in files},
        "collect": [source.path for source in settings.collect],
        "epochs": settings.train.epochs,
    }


def test_all_that_can_be_is_accepted_once(project: Project) -> None:
    done = project.accept()
    assert [id for id, _ in done.done] == ["relabel", "remove-far", "add", "label", "epochs"]
    after = effects(project)
    assert after["decisions"] == {"r1": ("edit", "b"), "r2": ("edit", "a"), "r3": ("drop", None)}
    assert after["collect"] == ["rows.csv", "improve/round-1.jsonl"]
    assert after["epochs"] == 4.5
    alone, talk = (json.loads(line)["messages"] for line in after["files"]["round-1.jsonl"].splitlines())
    assert [message["content"] for message in alone] == ["four", "a"]
    assert [message["content"] for message in talk] == ["hi", "yes?", "seven", "b"]
    assert "# mine" in project.file.read_text(encoding="utf-8")
    again = project.accept(["all"])
    assert again.done == []
    assert again.already == ["relabel", "remove-far", "add", "label", "epochs"]
    assert effects(project) == after


def test_parts_are_accepted_and_rejected_by_themselves(project: Project) -> None:
    project.accept(["relabel/r2"])
    assert list(project.decisions().rows) == ["r2"]
    proposal = project.product("improve")
    assert states(project, proposal)["relabel"] == "open"  # its other row is
    assert project.reject(["label"]) == ["label"]
    assert [id for id, _ in project.accept().done] == ["relabel", "remove-far", "add", "epochs"]
    assert project.decisions().rows["r1"] == Decision("edit", "b", "relabel")
    assert not list((project.root / "improve").glob("to-label*"))
    assert project.undo(["relabel"]) == (["r2", "r1"], [])


def test_missing_cases_can_be_rejected_alone_and_with_all(project: Project) -> None:
    assert project.reject(["collect-a-b"]) == ["collect-a-b"]
    assert project.reject() == [item.id for item in ITEMS if item.id != "collect-a-b"]
    assert set(states(project, project.product("improve")).values()) == {"rejected"}
    assert project.accept().done == []


@pytest.mark.parametrize(("word", "code"), [("relabel/r1", "no_part_to_reject"), ("relabel/r9", "no_such_item")])
def test_a_row_of_an_item_is_not_rejected_and_nothing_is(project: Project, word: str, code: str) -> None:
    with pytest.raises(InputError, match=code):
        project.reject(["add", word])
    assert set(states(project, project.product("improve")).values()) == {"open"}


@pytest.mark.parametrize("word", ["nothing", "relabel/r9", "collect-a-b"])
def test_what_cannot_be_accepted_is_told_and_nothing_is_done(project: Project, word: str) -> None:
    before = effects(project)
    with pytest.raises(InputError) as fault:
        project.accept(["relabel", word])
    assert fault.value.code == ("nothing_to_accept" if word == "collect-a-b" else "no_such_item")
    assert effects(project) == before


STEPS = ["note", "decisions.append", "_add_lines", "add_source", "_set", "write_text"]


@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_any_step_is_made_good_by_accepting_again(project: Project, step: str, nth: int) -> None:
    import importlib

    accepting = importlib.import_module("tunesmith.accept")
    owner, _, name = step.rpartition(".")
    real = getattr(getattr(accepting, owner) if owner else accepting, name)
    calls = 0

    def killed(*given: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == nth:
            raise KeyboardInterrupt
        return real(*given, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"tunesmith.accept.{step}", killed)
        try:
            project.accept()
        except KeyboardInterrupt:
            pass
        else:
            assert calls < nth
    Project.open(project.root).accept()
    after = effects(project)
    assert len(after["decisions"]) == 3
    assert after["collect"] == ["rows.csv", "improve/round-1.jsonl"]
    assert {name: len(text.splitlines()) for name, text in after["files"].items()} == {
        "round-1.jsonl": 2,
        "to-label-1.jsonl": 2,
    }
    assert after["epochs"] == 4.5


def test_labels_that_were_filled_in_stay(project: Project) -> None:
    project.accept(["label/p1"])
    path = project.root / "improve" / "to-label-1.jsonl"
    path.write_text('{"input": "five", "answer": "b"}\n', encoding="utf-8")
    project.accept(["label"])
    assert [json.loads(line)["answer"] for line in path.read_text(encoding="utf-8").splitlines()] == ["b", ""]


def test_only_rows_with_an_answer_are_learned_from(project: Project) -> None:
    project.accept(["label"])
    path = project.root / "improve" / "to-label-1.jsonl"
    assert take_labels(project) == 0
    assert effects(project)["collect"] == ["rows.csv"]
    path.write_text('{"input": "five", "answer": "b"}\n{"input": "six", "answer": ""}\n', encoding="utf-8")
    for _ in range(2):
        assert take_labels(project) == 1
        after = effects(project)
        assert after["collect"] == ["rows.csv", "improve/labelled-1.jsonl"]
        assert after["files"]["labelled-1.jsonl"] == '{"input": "five", "answer": "b"}\n'
    path.write_text('{"input": "five", "answer": "b"}\n{"six": ""}\nno\n', encoding="utf-8")
    with pytest.raises(InputError) as fault:
        take_labels(project)
    assert [one.where for one in fault.value.faults] == [f"improve/to-label-1.jsonl:{line}" for line in (2, 3)]  # type: ignore[attr-defined]


def test_rows_with_other_ends_of_lines_than_a_line_feed_are_one_line(project: Project) -> None:
    """JSON writes U+2028 and U+0085 as they are."""
    project.accept(["label"])
    path = project.root / "improve" / "to-label-1.jsonl"
    odd = "one\u2028two\x85three\x0bfour"
    lines = [{"input": odd, "answer": "b\u2029"}, {"input": "six", "answer": ""}]
    path.write_text(
        "".join(json.dumps(line, ensure_ascii=False) + "\r\n" for line in lines), encoding="utf-8", newline=""
    )
    assert read_labels(path) == lines
    assert take_labels(project) == 1
    assert project.accept(["label"]).already
    (project.store.root / ACCEPTED).unlink()
    project.accept(["label"])
    assert [line["input"] for line in read_labels(path)] == [odd, "six", "five"]


def test_labels_of_a_round_that_was_left_wait_until_they_are_accepted_again(project: Project) -> None:
    project.accept(["label"])
    path = project.root / "improve" / "to-label-1.jsonl"
    path.write_text('{"input": "five", "answer": "b"}\n{"input": "six", "answer": ""}\n', encoding="utf-8")
    append(project.store.root / ACCEPTED, [{"went_to": 1}])
    assert take_labels(project) == 0
    assert effects(project)["collect"] == ["rows.csv"]
    path.rename(path.with_name("to-label-0.jsonl"))
    assert project.accept(["label"]).done
    assert json.loads(path.read_text(encoding="utf-8").splitlines()[0]) == {"input": "five", "answer": "b"}
    assert take_labels(project) == 1


def test_the_command_accepts_and_shows_rows(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--project", str(project.root)]
    assert main(["improve", "--rows", "relabel", *where]) == 0
    assert "a → b" in capsys.readouterr().out
    assert main(["improve", "--rows", "other", *where]) == 2
    assert main(["improve", "--accept", "relabel", "label", *where]) == 0
    out = capsys.readouterr().out
    assert "2 decisions on rows in decisions.jsonl" in out
    assert "to-label-1.jsonl" in out
    assert main(["improve", "--accept", "label", *where]) == 0
    assert "Accepted before, and not done again: label." in capsys.readouterr().out
    assert main(["improve", "--reject", "epochs", *where]) == 0
    assert "Rejected: epochs." in capsys.readouterr().out
    assert main(["improve", "--label", *where]) == 2  # nobody can press a key
    assert main(["show", "improve", *where]) == 0
    assert "Relabel 2 rows" in capsys.readouterr().out
