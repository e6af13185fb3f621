"""Every row becomes an example or is set aside with its place and reason; nothing is lost on the way."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from collect_project import PAIRS, TABLE, CollectProject, csv_text, jsonl_text, settings_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tunesmith.errors import Cancelled, Faults, InputError, TunesmithError
from tunesmith.events import Pace
from tunesmith.example_parquet import ExampleWriter
from tunesmith.stages.collect.faults import FaultList
from tunesmith.stages.collect.run import run
from tunesmith.stages.context import Context

GOOD = [{"message": message, "reply": reply} for message, reply in PAIRS]
SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
#: Any text of any plane; a NUL byte marks a binary file, so a CSV cannot hold one.
CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=30)
TRICKY = st.text(st.sampled_from("\"',;\t|\n\r \\a€😀\u2028\x85\x0b"), max_size=12)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@pytest.fixture
def project(tmp_path: Path) -> CollectProject:
    return CollectProject(tmp_path)


@SLOW
@given(st.lists(st.tuples(CELLS | TRICKY, CELLS | TRICKY), min_size=10, max_size=25), st.sampled_from(",;\t|"))
def test_any_text_comes_through_a_csv_unchanged(rows: list[tuple[str, str]], delimiter: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = CollectProject(Path(folder))
        project.put("a.csv", csv_text(["message", "reply"], rows, delimiter))
        assert project.collect("a.csv").pairs == rows


@SLOW
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=10, max_size=25), st.booleans(), st.booleans())
def test_any_text_comes_through_json_unchanged(rows: list[tuple[str, str]], escaped: bool, lines: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = CollectProject(Path(folder))
        objects = [{"message": message, "reply": reply} for message, reply in rows]
        dumped = [json.dumps(row, ensure_ascii=escaped) for row in objects]
        name = "a.jsonl" if lines else "a.json"
        project.put(name, "\n".join(dumped) if lines else f"[{', '.join(dumped)}]")
        assert project.collect(name).pairs == rows


BAD_LINES = st.sampled_from(['{"message": ', "[1, 2]", "17", "null", '"text"', "{'a': 1}", '{"message": "\\ud800"}'])
LINES = st.lists(
    st.one_of(
        st.builds(lambda text: json.dumps({"message": text, "reply": "r"}), TEXTS),
        BAD_LINES,
        st.sampled_from(["", "  "]),
    ),
    max_size=40,
)


@SLOW
@given(LINES)
def test_rows_in_are_examples_plus_set_aside(lines: list[str]) -> None:
    good = jsonl_text(GOOD).splitlines()
    with tempfile.TemporaryDirectory() as folder:
        project = CollectProject(Path(folder))
        project.put("a.jsonl", "\n".join([*good, *lines]))
        collected = project.collect({"path": "a.jsonl", "bad_rows": "set_aside"})
    rows = {number: line for number, line in enumerate([*good, *lines], start=1) if line.strip()}
    assert collected.counts["rows"] == len(rows)
    assert collected.counts["examples"] + collected.counts["set_aside"] == len(rows)
    places = [example.source.row for example in collected.examples] + [row.row for row in collected.set_aside]
    assert sorted(places) == sorted(rows)
    for row in collected.set_aside:
        assert row.raw.rstrip("\n") == rows[row.row]
        assert row.evidence


@SLOW
@given(st.lists(st.text(st.sampled_from('ab,"\n\r\t'), max_size=15), max_size=30))
def test_no_line_of_a_broken_csv_is_lost(lines: list[str]) -> None:
    text = TABLE + "\n".join(lines)
    with tempfile.TemporaryDirectory() as folder:
        project = CollectProject(Path(folder))
        project.put("a.csv", text)
        collected = project.collect({"path": "a.csv", "bad_rows": "set_aside", "delimiter": ","})
    counts = collected.counts
    assert counts["rows"] == counts["examples"] + counts["set_aside"]
    kept = "".join(row.raw for row in collected.set_aside)
    kept += "".join(f"{example.input}{example.answer}" for example in collected.examples)
    for letter in "ab":
        # whole letters of the tail, wherever they ended; those of the twelve good rows come on top
        assert kept.count(letter) == "".join(lines).count(letter) + "".join(a + b for a, b in PAIRS).count(letter)


ENDINGS = st.sampled_from(["csv", "tsv", "json", "jsonl", "parquet", "csv.gz", "txt"])
PIECES = st.sampled_from(
    [b'{"messages": [', b'{"role": "user", ', b'"a": 1}', b"[", b"]", b"\xff\xfe", b"PAR1", b"\x1f\x8b"]
)


@SLOW
@given(ENDINGS, st.lists(st.binary(max_size=20) | PIECES | st.just(b"a,b\n"), max_size=8).map(b"".join))
def test_no_content_whatever_ends_in_anything_but_words(ending: str, content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = CollectProject(Path(folder))
        project.put(f"a.{ending}", content)
        assert all(fault.what and fault.fix for fault in project.faults(f"a.{ending}"))


BAD_JSON_ROWS: list[tuple[str, str, str]] = [
    ('{"message": "x", }', "broken_json", "column"),
    ('{"message": NaN, "reply": "x"}', "broken_json", "JSON value"),
    ('{"message": "\\ud83d", "reply": "x"}', "broken_json", "surrogate"),
    ("[1]", "not_an_object", "an array"),
    ("12", "not_an_object", "a number"),
]


@pytest.mark.parametrize(("line", "code", "words"), BAD_JSON_ROWS)
def test_a_bad_line_of_jsonl_is_told_with_its_number(project: CollectProject, line: str, code: str, words: str) -> None:
    project.put("a.jsonl", jsonl_text(GOOD[:3]) + line + "\n" + jsonl_text(GOOD[3:]))
    fault = project.faults("a.jsonl")[0]
    assert (fault.code, fault.where) == (code, "a.jsonl:4")
    assert words in fault.what
    collected = project.collect({"path": "a.jsonl", "bad_rows": "set_aside"})
    assert collected.pairs == PAIRS
    aside = collected.set_aside[0]
    assert (aside.uri, aside.row, aside.code, aside.raw) == ("a.jsonl", 4, code, line + "\n")


def _turns(*turns: dict[str, Any]) -> dict[str, Any]:
    return {"messages": list(turns)}


USER, ASSISTANT = {"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}
BAD_CHATS: list[tuple[dict[str, Any], str]] = [
    (_turns(USER), "no_assistant_at_end"),
    (_turns(USER, ASSISTANT, USER), "no_assistant_at_end"),
    (_turns({"role": "wizard", "content": "x"}, ASSISTANT), "unknown_role"),
    (_turns({"content": "x"}, ASSISTANT), "unknown_role"),
    (_turns(), "no_turns"),
    ({"messages": "hello"}, "no_turns"),
    ({"other": 1}, "no_turns"),
    ({"messages": ["hello"]}, "no_turns"),
    (_turns(USER, {**ASSISTANT, "weight": "heavy"}), "bad_weight"),
    ({**_turns(USER, ASSISTANT), "weight": -1}, "bad_weight"),
    (_turns({"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}, ASSISTANT), "unsupported_content"),
    (_turns(USER, {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}), "unsupported_content"),
]


@pytest.mark.parametrize(("row", "code"), BAD_CHATS)
def test_a_bad_chat_is_a_fault_of_its_row(project: CollectProject, row: dict[str, Any], code: str) -> None:
    project.put("a.jsonl", jsonl_text([_turns(USER, ASSISTANT)] * 12 + [row]))
    fault = project.faults("a.jsonl")[0]
    assert (fault.code, fault.where) == (code, "a.jsonl:13")
    collected = project.collect({"path": "a.jsonl", "bad_rows": "set_aside"})
    assert [(aside.code, json.loads(aside.raw)) for aside in collected.set_aside] == [(code, row)]


def test_a_role_that_is_no_text_is_a_fault_of_its_row(project: CollectProject) -> None:
    strange = [_turns({"role": ["user"], "content": "x"}, ASSISTANT), _turns({"role": {"a": 1}}, ASSISTANT)]
    project.put("a.jsonl", jsonl_text([_turns(USER, ASSISTANT)] * 12 + strange))
    assert [fault.code for fault in project.faults("a.jsonl")] == ["unknown_role"] * 2


def test_csv_rows_of_unequal_length_are_all_told(project: CollectProject) -> None:
    project.put("a.csv", TABLE + "one\nx,y\na,b,c\n")
    faults = project.faults("a.csv")
    assert [(fault.code, fault.where) for fault in faults] == [
        ("unequal_columns", "a.csv:14"),
        ("unequal_columns", "a.csv:16"),
    ]
    assert "3 columns where the header has 2" in faults[1].what


def test_a_quote_that_is_never_closed_costs_one_row(project: CollectProject) -> None:
    project.put("a.csv", 'message,reply\n"open,x\n' + "".join(f"m{n},r\n" for n in range(12)))
    collected = project.collect({"path": "a.csv", "bad_rows": "set_aside"})
    assert [(aside.row, aside.code, aside.raw) for aside in collected.set_aside] == [(2, "broken_csv", '"open,x\n')]
    assert [example.source.row for example in collected.examples] == list(range(3, 15))


def test_text_after_a_closing_quote_is_a_fault(project: CollectProject) -> None:
    project.put("a.csv", TABLE + '"Hi" she said,x\n')
    fault = project.faults("a.csv")[0]
    assert (fault.code, fault.where) == ("broken_csv", "a.csv:14")


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_undecodable_bytes_are_told_with_their_line(project: CollectProject, name: str) -> None:
    good = "größer, ö ä ü ß €"
    rows = [(good, f"r{n}") for n in range(12)]
    text = csv_text(["message", "reply"], rows) if name == "a.csv" else jsonl_text(
        {"message": message, "reply": reply} for message, reply in rows
    )  # fmt: skip
    lines = text.encode().splitlines(keepends=True)
    lines[5] = lines[5].replace("ß".encode(), b"\xff", 1)
    project.put(name, b"".join(lines))
    fault = project.faults(name)[0]
    assert (fault.code, fault.where) == ("undecodable", f"{name}:6")
    assert "0xff" in fault.what
    collected = project.collect({"path": name, "bad_rows": "set_aside"})
    assert (collected.counts["examples"], collected.counts["set_aside"]) == (11, 1)
    assert "\\xff" in collected.set_aside[0].raw


def test_a_broken_character_in_utf_16_is_told_with_its_line(project: CollectProject) -> None:
    content = TABLE.encode("utf-16")
    broken = content.replace("question 3".encode("utf-16-le"), "question ".encode("utf-16-le") + b"\x00\xd8")
    project.put("a.csv", broken)
    fault = project.faults("a.csv")[0]
    assert (fault.code, fault.where) == ("undecodable", "a.csv:5")


def test_empty_values_are_left_to_the_next_stage(project: CollectProject) -> None:
    project.put("a.csv", TABLE + ",\nx,\n")
    assert project.collect("a.csv").pairs[-2:] == [("", ""), ("x", "")]


def test_a_weight_that_is_no_number_is_a_fault(project: CollectProject) -> None:
    rows = [(*pair, "1") for pair in PAIRS] + [("a", "b", "heavy"), ("a", "b", "-1"), ("a", "b", "nan")]
    project.put("a.csv", csv_text(["message", "reply", "share"], rows))
    faults = project.faults({"path": "a.csv", "weight": "share"})
    assert [(fault.code, fault.where) for fault in faults] == [("bad_weight", f"a.csv:{n}") for n in (14, 15, 16)]


def test_a_file_in_which_no_row_can_be_read_is_refused(project: CollectProject) -> None:
    project.put("a.jsonl", "{broken\n" * 3)
    assert [fault.where for fault in project.faults("a.jsonl")] == ["a.jsonl:1", "a.jsonl:2", "a.jsonl:3"]
    assert project.faults({"path": "a.jsonl", "bad_rows": "set_aside"})[0].code == "no_readable_row"


def test_the_first_twenty_faults_are_shown_and_the_rest_counted(project: CollectProject) -> None:
    project.put("a.jsonl", jsonl_text(GOOD) + "{broken\n" * 100)
    project.put("b.csv", "")
    with pytest.raises(Faults) as caught:
        project.collect("a.jsonl", "b.csv")
    assert [fault.code for fault in caught.value.faults] == ["empty_file"] + ["broken_json"] * 19
    assert caught.value.more == 81
    assert "and 81 more" in str(caught.value)


def test_counting_of_faults_is_bounded() -> None:
    faults = FaultList(shown=2, most=5)
    fault = InputError("broken_json", "x", "a:1")
    for _ in range(4):
        faults.add_row(fault)
    with pytest.raises(Faults) as caught:
        faults.add_row(fault)
    assert (len(caught.value.faults), caught.value.more) == (2, 3)


@pytest.mark.parametrize("count", [1, 3, 9])
def test_too_few_examples_are_refused(project: CollectProject, count: int) -> None:
    project.put("a.csv", csv_text(["message", "reply"], PAIRS[:count]))
    fault = project.faults("a.csv")[0]
    assert fault.code == "too_few_examples"
    assert str(count) in fault.what
    assert "50" in fault.fix
    assert not (project.out / "sources.json").exists()


def test_one_label_alone_is_refused(project: CollectProject) -> None:
    rows = [(f"m{n}", ["spam", " spam", ""][n % 3]) for n in range(12)]
    project.put("a.csv", csv_text(["text", "label"], rows))
    fault = project.faults("a.csv", output="label")[0]
    assert fault.code == "one_label"
    assert "spam" in fault.what
    assert project.collect("a.csv", output="text").counts["examples"] == 12
    project.put("b.csv", csv_text(["text", "label"], [("m", "ham")]))
    assert project.collect("a.csv", "b.csv", output="label").counts["examples"] == 13


def test_too_few_examples_and_one_label_are_told_together(project: CollectProject) -> None:
    project.put("a.csv", csv_text(["text", "label"], [("a", "x"), ("b", "x")]))
    assert [fault.code for fault in project.faults("a.csv", output="label")] == ["too_few_examples", "one_label"]


def test_a_ledger_that_does_not_add_up_fails_the_stage(
    project: CollectProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.put("a.csv", TABLE)
    monkeypatch.setattr(ExampleWriter, "add", lambda self, example: None)
    with pytest.raises(TunesmithError, match="ledger_broken") as caught:
        project.collect("a.csv")
    assert caught.value.exit_code == 1


def test_the_same_files_give_the_same_bytes(project: CollectProject) -> None:
    project.put("a.csv", TABLE)
    project.put("b.jsonl", jsonl_text(GOOD) + "{broken\n")
    sources: list[str | dict[str, Any]] = ["a.csv", {"path": "b.jsonl", "bad_rows": "set_aside"}]
    names = ["examples.parquet", "set_aside.parquet", "sources.json"]
    project.collect(*sources)
    first = [(project.out / name).read_bytes() for name in names]
    project.collect(*sources)
    assert [(project.out / name).read_bytes() for name in names] == first


def test_progress_is_told_in_bytes_and_the_user_can_stop(
    project: CollectProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pace, "due", lambda self: True)
    project.put("a.csv", TABLE)
    project.put("b.jsonl", jsonl_text(GOOD))
    progress = [event.data for event in project.collect("a.csv", "b.jsonl").events if event.kind == "progress"]
    done = [data["done"] for data in progress]
    assert len(progress) == 24
    assert done == sorted(done)
    assert done[-1] == progress[-1]["total"] == len(TABLE) + len(jsonl_text(GOOD))
    assert progress[0]["unit"] == "bytes"
    context = Context("collect", project.folder, project.out, project.folder, stopping=lambda: True)
    with pytest.raises(Cancelled):
        run({}, settings_of("a.csv"), context)
