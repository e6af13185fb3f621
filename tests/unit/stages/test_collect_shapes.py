"""How rows are laid out: detected by looking, settled by settings, asked for when it is unclear."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from collect_project import PAIRS, TABLE, CollectProject, csv_text, jsonl_text, settings_of
from ruamel.yaml import YAML

from tunesmith.stages.collect.look import look
from tunesmith.stages.collect.settings import SourceSettings


@pytest.fixture
def project(tmp_path: Path) -> CollectProject:
    return CollectProject(tmp_path)


def chat(number: int, **more: Any) -> dict[str, Any]:
    turns = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": f"Hello {number}"},
        {"role": "assistant", "content": "Hi!"},
    ]
    return {"messages": turns, **more}


def test_openai_chats_keep_their_system_message(project: CollectProject) -> None:
    project.put("a.jsonl", jsonl_text(chat(number) for number in range(12)))
    collected = project.collect("a.jsonl")
    assert collected.examples[0].system == "Be kind."
    assert collected.pairs[0] == ("Hello 0", "Hi!")
    assert collected.sources[0]["shape"] == "openai_chat"
    assert collected.sources[0]["mapping"] == {"input": "messages", "output": "messages"}


def test_openai_content_parts_of_type_text_are_joined(project: CollectProject) -> None:
    parts = [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]
    row = {"messages": [{"role": "user", "content": parts}, {"role": "assistant", "content": "ok"}]}
    project.put("a.jsonl", jsonl_text([row] * 12))
    assert project.collect("a.jsonl").pairs[0] == ("one two", "ok")


def test_weights_of_the_row_and_of_its_last_message_multiply(project: CollectProject) -> None:
    weighted = chat(1, weight=0.5)
    weighted["messages"][-1]["weight"] = 3
    silent = chat(2)
    silent["messages"][-1]["weight"] = 0
    project.put("a.jsonl", jsonl_text([weighted, silent, *(chat(number) for number in range(10))]))
    assert [example.weight for example in project.collect("a.jsonl").examples[:3]] == [1.5, 0.0, 1.0]


def test_sharegpt_speakers_become_roles(project: CollectProject) -> None:
    turns = [
        {"from": "human", "value": "Hello"},
        {"from": "gpt", "value": "Hi!"},
        {"from": "human", "value": "Bye"},
        {"from": "gpt", "value": "Bye!"},
    ]
    project.put("a.json", json.dumps([{"id": n, "conversations": turns, "system": "Be brief."} for n in range(12)]))
    collected = project.collect("a.json")
    example = collected.examples[0]
    assert [message.role for message in example.messages] == ["system", "user", "assistant", "user", "assistant"]
    assert (example.system, example.answer) == ("Be brief.", "Bye!")
    assert collected.sources[0]["shape"] == "sharegpt"


def test_chats_as_text_in_a_csv_and_as_structs_in_parquet_are_read(project: CollectProject) -> None:
    chats = [chat(number) for number in range(12)]
    project.put(
        "a.csv", csv_text(["id", "messages"], [(n, json.dumps(row["messages"])) for n, row in enumerate(chats)])
    )
    pq.write_table(pa.Table.from_pylist(chats), project.folder / "b.parquet")
    collected = project.collect("a.csv", "b.parquet")
    assert [source["shape"] for source in collected.sources] == ["openai_chat", "openai_chat"]
    assert collected.pairs[:12] == collected.pairs[12:] == [(f"Hello {number}", "Hi!") for number in range(12)]


def test_alpaca_joins_instruction_and_input(project: CollectProject) -> None:
    rows = [{"instruction": "Translate", "input": "Hund", "output": "dog"}] * 6
    rows += [{"instruction": "Say hi", "input": "", "output": "hi"}] * 6
    project.put("a.json", json.dumps(rows))
    collected = project.collect("a.json")
    assert {*collected.pairs} == {("Translate\n\nHund", "dog"), ("Say hi", "hi")}
    assert collected.sources[0]["mapping"] == {"input": ["instruction", "input"], "output": "output"}
    assert collected.sources[0]["shape"] == "alpaca"


@pytest.mark.parametrize(
    ("names", "shape"),
    [
        (("prompt", "completion"), "prompt_completion"),
        (("prompt", "response"), "prompt_completion"),
        (("question", "answer"), "prompt_completion"),
        (("input", "output"), "prompt_completion"),
        (("text", "label"), "prompt_completion"),
        (("message", "category"), "columns"),
        (("Ticket", "Team"), "columns"),
        (("utterance", "intent"), "columns"),
        (("text", "anything"), "columns"),
        (("anything", "label"), "columns"),
    ],
)
def test_two_columns_are_told_apart_by_their_names(project: CollectProject, names: tuple[str, str], shape: str) -> None:
    project.put("a.csv", csv_text(names, PAIRS))
    project.put("b.csv", csv_text(names[::-1], [pair[::-1] for pair in PAIRS]))
    collected = project.collect("a.csv", "b.csv")
    assert collected.pairs == PAIRS * 2
    for source in collected.sources:
        assert source["mapping"] == {"input": names[0], "output": names[1]}
        assert source["shape"] == shape


def test_other_columns_and_numbers_of_rows_are_left_aside_and_told(project: CollectProject) -> None:
    rows = [(number, "2024-01-01", *pair, "web") for number, pair in enumerate(PAIRS)]
    project.put("a.csv", csv_text(["id", "date", "message", "reply", "channel"], rows))
    collected = project.collect("a.csv")
    assert collected.pairs == PAIRS
    assert collected.texts("note") == ["a.csv: message → reply (columns, comma, utf-8); not used: id, date, channel"]


def _proposed(fix: str) -> SourceSettings:
    """The source that a fix tells the user to write."""
    line = fix.split("`")[1]
    return SourceSettings(**YAML(typ="safe").load(line)["collect"][0])


@pytest.mark.parametrize(
    ("header", "output", "candidates", "mapping"),
    [
        (["message", "category", "reply"], "text", ["category", "reply"], {"input": "message", "output": "category"}),
        (
            ["message", "category", "urgency", "reply"],
            "json",
            ["category", "urgency", "reply"],
            {"input": "message", "output": ["category", "urgency", "reply"]},
        ),
        (["text", "question", "label"], "label", ["text", "question"], {"input": "text", "output": "label"}),
        (["foo", "bar"], "text", ["foo", "bar"], {"input": "foo", "output": "bar"}),
        (["category", "reply"], "text", ["category", "reply"], {"input": "category", "output": "reply"}),
        (["message", "my: col", "yes"], "text", ["my: col", "yes"], {"input": "message", "output": "my: col"}),
    ],
)
def test_ambiguous_columns_are_asked_for_with_the_line_to_write(
    project: CollectProject, header: list[str], output: str, candidates: list[str], mapping: dict[str, Any]
) -> None:
    project.put("a b.csv", csv_text(header, [[f"{name} {n}" for name in header] for n in range(12)]))
    fault = project.faults("a b.csv", output=output)[0]
    assert fault.code == "ambiguous_columns"
    assert all(repr(name) in fault.what for name in candidates)
    proposed = _proposed(fault.fix)
    assert (proposed.path, proposed.input, proposed.output) == ("a b.csv", mapping["input"], mapping["output"])
    collected = project.collect(proposed.model_dump(), output=output)
    assert collected.sources[0]["mapping"] == mapping


def test_one_side_from_the_settings_leaves_the_other_to_be_found(project: CollectProject) -> None:
    project.put("a.csv", csv_text(["message", "category", "reply"], [(f"m{n}", "c", "r") for n in range(12)]))
    collected = project.collect({"path": "a.csv", "output": "reply"})
    assert collected.sources[0]["mapping"] == {"input": "message", "output": "reply"}
    collected = project.collect({"path": "a.csv", "input": ["category", "reply"], "output": "message"})
    assert collected.pairs[0] == ("c\nr", "m0")


def test_several_output_columns_become_one_json_object_in_their_order(project: CollectProject) -> None:
    rows = [("m", "größe", "", "r"), ("m", "", "", ""), *(("m", "c", "high", f"r{n}") for n in range(10))]
    project.put("a.csv", csv_text(["message", "category", "urgency", "reply"], rows))
    source = {"path": "a.csv", "input": "message", "output": ["urgency", "category", "reply"]}
    answers = [answer for _, answer in project.collect(source, output="json").pairs]
    assert answers[0] == '{"urgency": "", "category": "größe", "reply": "r"}'
    assert answers[1] == ""
    assert list(json.loads(answers[2] or "")) == ["urgency", "category", "reply"]


def test_values_of_jsonl_keep_their_types_in_the_json_object(project: CollectProject) -> None:
    row = {"message": "m", "total": 12.5, "paid": True, "lines": [1, 2], "note": None}
    project.put("a.jsonl", jsonl_text([row] * 12))
    source = {"path": "a.jsonl", "input": "message", "output": ["total", "paid", "lines", "note"]}
    answer = project.collect(source, output="json").examples[0].answer
    assert answer == '{"total": 12.5, "paid": true, "lines": [1, 2], "note": ""}'


def test_numbers_booleans_and_objects_become_text(project: CollectProject) -> None:
    values = [1, 2.5, True, False, {"ä": [1]}, [1, "x"], None, 12345678901234567890123, "text"]
    project.put("a.jsonl", jsonl_text({"text": value, "label": value} for value in [*values, *"abc"]))
    collected = project.collect("a.jsonl")
    expected = ["1", "2.5", "true", "false", '{"ä": [1]}', '[1, "x"]', "", "12345678901234567890123", "text"]
    assert [pair[0] for pair in collected.pairs[: len(values)]] == expected


def test_parquet_dates_numbers_and_missing_values_become_text(project: CollectProject) -> None:
    table = pa.table(
        {
            "text": pa.array([1_600_000_000_000_000_001] * 12, pa.timestamp("ns")),
            "label": pa.array([1.5, None, float("nan"), *[2.0] * 9]),
        }
    )
    pq.write_table(table, project.folder / "a.parquet")
    collected = project.collect("a.parquet")
    assert collected.pairs[0][0].startswith("2020-09-13 12:26:40")
    assert [answer for _, answer in collected.pairs[:4]] == ["1.5", "", "", "2.0"]


def test_a_key_missing_in_some_rows_is_empty_and_in_all_rows_a_fault(project: CollectProject) -> None:
    rows: list[dict[str, Any]] = [{"text": "a"}, {"label": "b"}, *({"text": "a", "label": "b"} for _ in range(10))]
    project.put("a.jsonl", jsonl_text(rows))
    collected = project.collect("a.jsonl")
    assert collected.pairs[:2] == [("a", ""), ("", "b")]
    faults = project.faults({"path": "a.jsonl", "input": "text", "output": "Labels", "tags": ["gone"]})
    assert [fault.code for fault in faults] == ["missing_column", "missing_column"]
    assert "'label'" in faults[0].fix


def test_a_key_that_first_comes_late_is_no_fault(project: CollectProject) -> None:
    rows = [{"text": "a", "label": "b"}] * 2000 + [{"text": "a", "label": "b", "late": "x"}]
    project.put("a.jsonl", jsonl_text(rows))
    assert project.collect({"path": "a.jsonl", "tags": ["late"]}).examples[-1].tags == ("late=x",)


def test_a_column_of_the_settings_that_a_csv_lacks_is_told_before_any_row(project: CollectProject) -> None:
    project.put("a.csv", TABLE)
    fault = project.faults({"path": "a.csv", "input": "mesage", "output": "reply"})[0]
    assert fault.code == "missing_column"
    assert "'message'" in fault.fix


def test_a_mapped_column_that_stands_twice_is_a_fault(project: CollectProject) -> None:
    project.put("a.csv", csv_text(["message", "reply", "x", "x"], [(*pair, 1, 2) for pair in PAIRS]))
    assert project.collect("a.csv").counts["examples"] == 12
    assert project.faults({"path": "a.csv", "tags": ["x"]})[0].code == "duplicate_column"


def test_rejected_tags_weight_part_and_licence_are_kept(project: CollectProject) -> None:
    rows = [(*pair, "bad answer", "de", "" if number else "0.25") for number, pair in enumerate(PAIRS)]
    project.put("a.csv", csv_text(["message", "reply", "worse", "language", "share"], rows))
    source = {
        "path": "a.csv",
        "rejected": "worse",
        "tags": ["language"],
        "weight": "share",
        "part": "test",
        "licence": "CC-BY-4.0",
    }
    examples = project.collect(source).examples
    first = examples[0]
    assert (first.rejected, first.tags, first.weight, first.part) == ("bad answer", ("language=de",), 0.25, "test")
    assert (first.source.licence, examples[1].weight) == ("CC-BY-4.0", 1.0)


def test_an_explicit_shape_wins_over_what_is_seen(project: CollectProject) -> None:
    rows = [{"instruction": f"i{n}", "input": "x", "output": "o", "answer": "a"} for n in range(12)]
    project.put("a.jsonl", jsonl_text(rows))
    source = {"path": "a.jsonl", "shape": "columns", "input": "instruction", "output": "answer"}
    assert project.collect(source).pairs[0] == ("i0", "a")
    project.put("b.jsonl", jsonl_text({"prompt": f"p{n}", "completion": "c", "label": "l"} for n in range(12)))
    assert project.faults("b.jsonl")[0].code == "ambiguous_columns"
    assert project.collect({"path": "b.jsonl", "shape": "prompt_completion"}).pairs[0] == ("p0", "c")


@pytest.mark.parametrize("shape", ["openai_chat", "sharegpt", "alpaca"])
def test_a_shape_that_the_file_does_not_have_is_a_fault(project: CollectProject, shape: str) -> None:
    project.put("a.csv", TABLE)
    assert project.faults({"path": "a.csv", "shape": shape})[0].code == "missing_column"


def test_look_shows_what_was_detected_and_the_faults_near_the_start(project: CollectProject) -> None:
    project.put("data/a.csv", TABLE)
    project.put("data/b.jsonl", jsonl_text({"text": f"t{n}", "label": "x"} for n in range(5)) + "{broken\n")
    project.put("data/c.csv", csv_text(["message", "category", "reply"], [("m", "c", "r")]))
    project.put("data/d.csv", b"\x89PNG\r\n\x1a\n")
    first, second, third, fourth = look(settings_of("data")[0], project.folder)
    assert (first.path, first.shape, first.encoding) == ("data/a.csv", "columns", "utf-8")
    assert (first.mapping, first.rows) == ({"input": "message", "output": "reply"}, tuple(PAIRS[:3]))
    assert (second.rows[2], [fault.where for fault in second.faults]) == (("t2", "x"), ["data/b.jsonl:6"])
    assert (third.shape, [fault.code for fault in third.faults]) == ("unknown", ["ambiguous_columns"])
    assert [fault.code for fault in fourth.faults] == ["binary_file"]
