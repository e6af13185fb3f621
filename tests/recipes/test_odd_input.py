"""What an inventive newcomer tries: odd files, settings, words and damage. Refused in words, or done right."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.recipes.bad_project import PLAIN, ROWS, Command, assert_nothing_half_made, csv_text, snapshot, write_files
from tests.recipes.wholeness import artifacts_of
from tunesmith import Project

LAUGHS = "".join(f"x{n}: &a{n} [{', '.join([f'*a{n - 1}' if n else '1'] * 9)}]\n" for n in range(9))
JSON_GOAL = PLAIN.replace("output: label", "output: json").replace("  model: all-minilm-l6-v2", "  model: auto")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "the project file is empty"),
        ("- a\n- b\n", "the project file must hold keys and values"),
        (PLAIN + "train:\n\tepochs: 3\n", "tunesmith.yaml:11: this is not YAML"),
        (PLAIN + "goal: {output: text}\n", 'tunesmith.yaml:10: this is not YAML: found duplicate key "goal"'),
        (PLAIN.encode("utf-16"), "the project file is not UTF-8 text"),
        (PLAIN + LAUGHS, "aliases (*name) repeat too much"),
    ],
    ids=["empty", "list", "tab", "twice", "utf-16", "laughs"],
)
def test_a_project_file_that_is_none_is_refused(command: Command, tmp_path: Path, text: str | bytes, told: str) -> None:
    assert told in command.refuse(write_files(tmp_path, text), "status")


def test_values_that_cannot_work_are_all_told_once_each(command: Command, tmp_path: Path) -> None:
    wrong = PLAIN.replace("output: label", "output: label\n  labels: [true, 2, '', a, a]").replace(
        "tickets.csv", "tickets.csv\n    part: exam\n    delimiter: '\"'"
    )
    wrong += "train: {epochs: -1, learning_rate: .nan, batch_size: 0, dropout: lots}\nformat: {max_tokens: 0}\n"
    told = command.refuse(write_files(tmp_path, wrong), "run")
    for line in (
        'goal.labels.0: this must be text (it is true) [wrong_value]\n  fix: write "true", in quotes',
        "goal.labels.1: this must be text (it is 2)",
        "collect.0.part: this must be 'train', 'validation' or 'test' (it is 'exam')",
        "collect.0.delimiter: a double quote or a line end cannot separate columns",
        "train.epochs: this must be greater than 0 or 'auto' (it is -1)",
        "train.learning_rate: this must be a finite number or 'auto' (it is nan)",
        "train.batch_size: this must be greater than or equal to 1 or 'auto' (it is 0)",
        "train.dropout: this must be a number or 'auto' (it is 'lots')",
        "format.max_tokens: this must be greater than or equal to 1 or 'auto' (it is 0)",
    ):
        assert line in told
    assert "9 faults:" in told
    write_files(tmp_path, PLAIN.replace("output: label", "output: label\n  labels: [a, '', a]"))
    assert "a label is empty; these labels stand there twice: a" in command.refuse(tmp_path, "run")


def test_overrides_that_are_wrong_are_all_told_as_such(command: Command, tmp_path: Path) -> None:
    words = ("nonsense", "train.epoch=3", "goal.output=labels", "split.train=0.9", "seed=[1,")
    told = command.refuse(write_files(tmp_path), "run", *(word for text in words for word in ("--set", text)))
    assert "5 faults:" in told
    assert "--set: 'nonsense' is not key=value" in told
    assert "--set train.epoch: unknown key 'epoch' [unknown_key]\n  fix: did you mean 'epochs'?" in told
    assert "--set goal.output: this must be 'text', 'label' or 'json' (it is 'labels')" in told
    assert "--set split: train + validation + test must add to 1" in told
    assert "--set seed: '[1,' is not a YAML value" in told


def test_an_override_of_the_output_is_not_written_into_the_project(command: Command, tmp_path: Path) -> None:
    project = write_files(tmp_path, PLAIN.replace("output: label", "output: text"))
    before = (project / "tunesmith.yaml").read_bytes()
    ended = command.run(project, "run", "--to", "goal", "--set", "goal.output=label")
    assert ended.code == 0, ended.said
    assert "2 labels read from the data, for this run alone" in ended.said
    assert (project / "tunesmith.yaml").read_bytes() == before


def test_a_stage_that_there_is_not_is_refused(command: Command, tmp_path: Path) -> None:
    before = snapshot(write_files(tmp_path))
    ended = command.run(tmp_path, "run", "--to", "clen")
    assert ended.code == 2
    assert "invalid choice: 'clen' (choose from" in ended.err
    assert "'clean'" in ended.err
    assert snapshot(tmp_path) == before


def test_a_place_that_is_no_project_is_refused(command: Command, tmp_path: Path) -> None:
    (tmp_path / "tickets.csv").write_text(csv_text())
    assert "there is no Tunesmith project here [no_project]" in command.refuse(tmp_path, "run")
    assert "tickets.csv: this is a file, not a project's folder" in command.refuse(tmp_path, "run", "tickets.csv")
    assert "tickets.csv: a file stands in the way" in command.refuse(tmp_path, "new", "tickets.csv", "--output", "text")
    told = command.refuse(tmp_path, "status", "--project", "tickets.csv/deeper")
    assert "this path cannot be used (Not a directory)" in told


def test_sources_that_are_no_data_are_all_told(command: Command, tmp_path: Path) -> None:
    odd = {
        "pipe.csv": "neither a file nor a folder",
        "nowhere.csv": "a link that leads nowhere",
        "loop": "this folder holds no data file",
        "folder.csv": "this folder holds no data file",
        "empty.csv": "the file is empty",
        "https://example.com/tickets.csv": "this is an address, not a file on this machine",
        "~nobody-of-that-name/tickets.csv": "cannot be read",
        "plain.txt": "this is none of CSV, TSV, JSON, JSONL or Parquet",
        "cut.csv.gz": "the .gz file is cut off or damaged",
        "one.csv": "there is only one usable column, 'text'",
        "arrays.jsonl": "the row is an array, not an object",
        "quote.csv": "a double quote opens a cell here and none closes it",
    }
    sources = "".join(f"  - path: {json.dumps(name)}\n" for name in odd)
    files: dict[str, str | bytes] = {
        "empty.csv": "",
        "plain.txt": "to do\n",
        "cut.csv.gz": b"\x1f\x8b\x08\x00" + bytes(40),
        "one.csv": "text\n" + "a\n" * 20,
        "arrays.jsonl": '{"text": "a", "label": "b"}\n["a", "b"]\n',
        "quote.csv": 'text,label\n"never closed,billing\n' + csv_text(),
        "folder.csv/notes.md": "",
        "loop/notes.md": "",
    }
    project = write_files(tmp_path, PLAIN.replace("  - path: tickets.csv\n", sources), files)
    os.mkfifo(project / "pipe.csv")
    (project / "nowhere.csv").symlink_to("nowhere.csv")
    (project / "loop" / "again").symlink_to(project / "loop", target_is_directory=True)
    told = command.refuse(project, "run")
    assert f"{len(odd)} faults:" in told
    for name, what in odd.items():
        [line] = [line for line in told.splitlines() if line.startswith(f"- {name}")]
        assert what in line


def test_faults_of_files_that_are_added_are_all_told(command: Command, tmp_path: Path) -> None:
    project = write_files(tmp_path, files={"tickets.csv": csv_text(), "more.csv": csv_text([("a",), *ROWS])})
    told = command.refuse(project, "add", "tickets.csv", "gone.csv", "more.csv")
    assert "3 faults:" in told
    assert "tickets.csv: this source was added before" in told
    assert "gone.csv: there is no such file" in told
    assert "more.csv:2: 1 column where the header has 2" in told
    told = command.refuse(project, "add", "more.csv", "--encoding", "base64")
    assert "there is no text encoding 'base64'" in told
    assert command.run(project, "add", "more.csv", "--bad-rows", "set_aside").code == 0
    assert "bad_rows: set_aside" in (project / "tunesmith.yaml").read_text()


def test_odd_names_encodings_and_labels_are_read_right_and_written_back_right(command: Command, tmp_path: Path) -> None:
    """Labels that YAML would take for numbers, dates or nothing stay text; control characters are shown, not obeyed."""
    labels = ["1", "1.0", "true", "null", "no", "~", "- a", "a: b", "# c", "2024-01-01", "\x1b[2Jwipe", "'"]
    rows = [(f"{text} {label[-1]}", label) for text, _ in ROWS[:8] for label in labels]
    name = "my tickets ü 日本\n(1).csv"
    project = write_files(
        tmp_path, PLAIN.replace("tickets.csv", json.dumps(name)), {name: csv_text(rows).encode("utf-16")}
    )
    ended = command.run(project, "run", "--to", "clean")
    assert ended.code == 0, ended.said
    assert Project(project).settings.goal.labels == sorted(labels)
    assert "nothing to do" in command.run(project, "run", "--to", "clean").out
    assert "\u241b[2Jwipe" in command.run(project, "show", "goal").out


def test_control_characters_in_a_fault_are_shown_and_not_obeyed(command: Command, tmp_path: Path) -> None:
    rows: list[tuple[str, ...]] = [("\x1b[31mred\x1b[2J",), ("x" * 11_000_000, "billing"), *ROWS]
    told = command.refuse(write_files(tmp_path, files={"tickets.csv": csv_text(rows)}), "run")
    assert "tickets.csv:2: 1 column where the header has 2: '\\x1b[31mred" in told
    assert "tickets.csv:3: a cell is longer than 10 MB" in told


def test_two_sources_with_the_same_rows_add_up(command: Command, tmp_path: Path) -> None:
    project = write_files(tmp_path, PLAIN + "  - path: copy.csv\n", {"tickets.csv": csv_text(), "copy.csv": csv_text()})
    ended = command.run(project, "run", "--to", "clean")
    assert "in 80, kept 40, merged 40" in ended.out, ended.said


def test_answers_that_are_none_of_the_labels_are_told_with_the_first(command: Command, tmp_path: Path) -> None:
    project = write_files(tmp_path, PLAIN.replace("output: label", "output: label\n  labels: [bills, deliveries]"))
    told = command.refuse_late(project, "run", "--to", "clean", made=("collect", "goal"))
    assert "0 of 40 examples stay" in told
    assert 'tickets.csv:2: "billing" is not one of the 2 labels' in told


def test_answers_that_are_no_json_are_told_with_the_first(command: Command, tmp_path: Path) -> None:
    told = command.refuse_late(write_files(tmp_path, JSON_GOAL), "run", made=("collect",))
    assert (
        "goal.output: only 0 of 40 answers are JSON objects; the first other one is 'billing' at tickets.csv:2" in told
    )


def test_a_schema_that_is_none_is_told_and_one_that_is_there_is_not_overwritten(
    command: Command, tmp_path: Path
) -> None:
    files = {"tickets.csv": csv_text(), "mine.json": '{"type": "objekt", "properties": {"a": {}}}'}
    settings = JSON_GOAL.replace("tickets.csv", "tickets.csv\n    output: [label]")
    project = write_files(tmp_path, settings.replace("output: json", "output: json\n  schema: mine.json"), files)
    assert "mine.json type: this is not a JSON Schema" in command.refuse(project, "run")
    write_files(project, settings, {"answer.schema.json": "my own notes"})
    ended = command.run(project, "run", "--to", "goal")
    assert ended.code == 0, ended.said
    assert (project / "answer.schema.json").read_text() == "my own notes"
    [written] = project.glob("answer-*.schema.json")
    assert f"schema: {written.name}" in (project / "tunesmith.yaml").read_text()


def test_broken_decisions_are_all_told_by_line(command: Command, tmp_path: Path) -> None:
    good = b'{"id": "0123456789abcdef", "decision": "keep"}\n'
    files: dict[str, str | bytes] = {
        "tickets.csv": csv_text(),
        "decisions.jsonl": good + b"oops\n" + good + b"\xff\xfe\n{}\n",
    }
    told = command.refuse(write_files(tmp_path, files=files), "run")
    assert "3 faults:" in told
    for line in (2, 4, 5):
        assert f"decisions.jsonl:{line}: this line is not a decision" in told


def test_a_base_folder_with_damaged_files_is_told_before_anything_is_made(command: Command, tmp_path: Path) -> None:
    header = b'{"weight": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}'
    files: dict[str, str | bytes] = {
        "tickets.csv": csv_text(),
        "model/config.json": '{"architectures": ["BertModel"]}',
        "model/tokenizer.json": "{",
        "model/model.safetensors": len(header).to_bytes(8, "little") + header + bytes(15),
    }
    project = write_files(tmp_path, PLAIN.replace("all-minilm-l6-v2", "./model"), files)
    assert "model/tokenizer.json: this file of the base cannot be read" in command.refuse(project, "run")
    (project / "model" / "tokenizer.json").write_text("{}")
    assert "model/model.safetensors: this safetensors file is cut off" in command.refuse(project, "run")


def test_what_was_deleted_cut_off_or_changed_in_the_store_is_made_again(command: Command, tmp_path: Path) -> None:
    project = write_files(tmp_path)
    assert command.run(project, "run", "--to", "clean").code == 0
    [collect], [goal], [clean] = (
        project.glob(f".tunesmith/artifacts/{stage}-*") for stage in ("collect", "goal", "clean")
    )
    (collect / "sources.json").unlink()
    (goal / "goal.json").write_bytes((goal / "goal.json").read_bytes()[:-20])
    rows = bytearray((clean / "examples.parquet").read_bytes())
    rows[len(rows) // 2] ^= 0xFF
    (clean / "examples.parquet").write_bytes(rows)
    ended = command.run(project, "run", "--to", "clean")
    assert ended.code == 0, ended.said
    assert all(f"✓ {stage:8} up to date" not in ended.out for stage in ("collect", "goal", "clean"))
    assert {artifact.kind for artifact in artifacts_of(project)} == {"collect", "goal", "clean"}

    (clean / "manifest.json").write_bytes(b"\xff" * 100)
    (project / ".tunesmith" / "latest" / "goal").write_bytes(b"\xff")
    assert command.run(project, "status").code == 0
    assert command.run(project, "run", "--to", "clean").code == 0
    assert len(artifacts_of(project)) == 3
    assert_nothing_half_made(project)
