"""Which files are read, as what, in which encoding; and what is refused."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from collect_project import PAIRS, TABLE, CollectProject, csv_text, jsonl_text, settings_of

from tunesmith.errors import Faults, InputError
from tunesmith.stages.collect import byte_stream
from tunesmith.stages.collect.fingerprint import fingerprint

ROWS = [{"message": message, "reply": reply} for message, reply in PAIRS]


@pytest.fixture
def project(tmp_path: Path) -> CollectProject:
    return CollectProject(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.csv", TABLE, "delimited"),
        ("a.tsv", csv_text(["message", "reply"], PAIRS, "\t"), "delimited"),
        ("a.json", json.dumps(ROWS), "json"),
        ("pretty.json", json.dumps(ROWS, indent=2), "json"),
        ("object.json", json.dumps({"version": "1", "facts": {"a": [1]}, "rows": ROWS, "n": 12}), "json"),
        ("a.jsonl", jsonl_text(ROWS), "jsonl"),
        ("a.ndjson", jsonl_text(ROWS), "jsonl"),
        ("lines.json", jsonl_text(ROWS), "jsonl"),
        ("array.jsonl", json.dumps(ROWS, indent=1), "json"),
        ("a.csv.gz", gzip.compress(TABLE.encode(), mtime=0), "delimited"),
        ("a.json.gz", gzip.compress(json.dumps(ROWS).encode(), mtime=0), "json"),
        ("a.jsonl.gz", gzip.compress(jsonl_text(ROWS).encode(), mtime=0), "jsonl"),
        ("zipped_without_saying.jsonl", gzip.compress(jsonl_text(ROWS).encode(), mtime=0), "jsonl"),
        ("not_zipped.csv.gz", TABLE, "delimited"),
        ("no_ending", TABLE, "delimited"),
        ("lines.txt", jsonl_text(ROWS), "jsonl"),
    ],
)
def test_each_kind_of_file_is_read(project: CollectProject, name: str, content: str | bytes, kind: str) -> None:
    project.put(name, content)
    collected = project.collect(name)
    assert collected.pairs == PAIRS
    assert collected.sources[0]["format"] == kind
    assert collected.counts == {"files": 1, "rows": 12, "examples": 12, "set_aside": 0}


def test_parquet_is_read_with_row_numbers(project: CollectProject) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS), project.folder / "a.parquet")
    collected = project.collect("a.parquet")
    assert collected.pairs == PAIRS
    assert [example.source.row for example in collected.examples] == list(range(1, 13))
    assert collected.sources[0]["encoding"] is None


def test_a_parquet_file_with_a_damaged_column_name_is_refused(project: CollectProject) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS), project.folder / "a.parquet")
    content = (project.folder / "a.parquet").read_bytes()
    project.put("a.parquet", content.replace(b"reply", b"re\x81ly"))
    assert project.faults("a.parquet")[0].code == "damaged_parquet"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_by_looking(project: CollectProject, delimiter: str) -> None:
    rows = [(f"a, b; c{number}", "x|y") for number in range(12)]
    project.put("a.csv", csv_text(["message", "reply"], rows, delimiter))
    collected = project.collect("a.csv")
    assert collected.pairs == rows
    assert collected.sources[0]["delimiter"] == delimiter


def test_quotes_in_a_tsv_without_quoting_are_text(project: CollectProject) -> None:
    lines = ["message\treply", *(f'"Hi" she said {number}\t"yes' for number in range(12))]
    project.put("a.tsv", "\n".join(lines) + "\n")
    assert project.collect("a.tsv").pairs[0] == ('"Hi" she said 0', '"yes')


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.csv"])
def test_many_blank_lines_at_the_start_are_skipped(project: CollectProject, name: str) -> None:
    content = TABLE if name == "a.csv" else jsonl_text(ROWS) if name == "a.jsonl" else json.dumps(ROWS)
    project.put(name, "\n" * 70_000 + content)
    assert project.collect(name).pairs == PAIRS


def test_old_mac_line_ends_are_read(project: CollectProject) -> None:
    project.put("a.csv", TABLE.replace("\r\n", "\r"))
    assert project.collect("a.csv").pairs == PAIRS


@pytest.mark.parametrize(
    ("codec", "shown"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("utf-32", "utf-32"),
        ("cp1252", "cp1252"),
    ],
)
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.json", "a.csv.gz"])
def test_encodings_and_byte_order_marks_are_recognised(
    project: CollectProject, codec: str, shown: str, name: str
) -> None:
    pairs = [(f"Größe “{number}” für das Café?", "5 € für Müller – später") for number in range(12)]
    rows = [{"message": message, "reply": reply} for message, reply in pairs]
    text = csv_text(["message", "reply"], pairs) if "csv" in name else jsonl_text(rows)
    text = json.dumps(rows, ensure_ascii=False) if name == "a.json" else text
    content = text.encode(codec)
    project.put(name, gzip.compress(content, mtime=0) if name.endswith(".gz") else content)
    collected = project.collect(name)
    assert collected.pairs == pairs
    assert collected.sources[0]["encoding"] == shown
    guesses = [text for text in collected.texts("warning") if "guessed" in text]
    assert len(guesses) == (codec == "cp1252")


@pytest.mark.parametrize(
    ("codec", "sentence"),
    [
        ("cp1252", "Où est ma commande ? Je suis très déçu."),
        ("cp1252", "¿Dónde está mi pedido? Quiero la devolución mañana."),
        ("cp1250", "Gdzie jest moje zamówienie? Czekam już tydzień, chcę zwrócić żółty towar."),
        ("cp1251", "Где мой заказ? Я жду уже неделю, верните деньги пожалуйста."),
        ("gb18030", "我的订单在哪里？我还没有收到，我要退款。"),
    ],
)
def test_other_encodings_are_guessed_from_the_text(project: CollectProject, codec: str, sentence: str) -> None:
    pairs = [(f"{sentence} {number}", "reply") for number in range(12)]
    project.put("a.csv", csv_text(["message", "reply"], pairs).encode(codec))
    assert project.collect("a.csv").pairs == pairs


def test_an_encoding_beyond_ascii_that_starts_late_is_still_seen(project: CollectProject) -> None:
    rows = [("plain " * 20, f"reply {number}") for number in range(2000)] + [("größer als später", "Müller")]
    project.put("a.csv", csv_text(["message", "reply"], rows).encode("cp1252"))
    assert project.collect("a.csv").pairs[-1] == ("größer als später", "Müller")


def test_the_encoding_of_the_settings_wins(project: CollectProject) -> None:
    project.put("a.csv", csv_text(["message", "reply"], [(f"Żółć {n}", "x") for n in range(12)]).encode("utf-16-le"))
    fault = project.faults("a.csv")[0]
    assert fault.code == "binary_file"
    assert "utf-16-le" in fault.fix
    collected = project.collect({"path": "a.csv", "encoding": "utf-16-le"})
    assert collected.pairs[3] == ("Żółć 3", "x")
    assert project.faults({"path": "a.csv", "encoding": "klingon"})[0].code == "unknown_encoding"


def test_an_encoding_without_ascii_is_read_when_it_is_named(project: CollectProject) -> None:
    project.put("a.csv", TABLE.encode("cp037"))
    assert project.collect({"path": "a.csv", "encoding": "cp037"}).pairs == PAIRS


def test_a_folder_is_read_recursively_sorted_without_hidden_files(project: CollectProject) -> None:
    project.put("data/b.csv", TABLE)
    project.put("data/a/z.jsonl", jsonl_text(ROWS))
    project.put("data/c.csv.gz", gzip.compress(TABLE.encode(), mtime=0))
    project.put("data/.hidden.csv", "x")
    project.put("data/.git/x.csv", "x")
    project.put("data/README.md", "not data")
    collected = project.collect("data")
    assert [source["path"] for source in collected.sources] == ["data/a/z.jsonl", "data/b.csv", "data/c.csv.gz"]
    assert collected.counts["rows"] == 36
    assert {example.source.uri for example in collected.examples} == {source["path"] for source in collected.sources}


def test_a_file_outside_the_project_has_its_absolute_path(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    outside = CollectProject(tmp_path).put("elsewhere.csv", TABLE)
    collected = CollectProject(tmp_path / "home").collect("../elsewhere.csv")
    assert collected.sources[0]["path"] == str(outside)


def test_rows_carry_the_line_on_which_they_start(project: CollectProject) -> None:
    project.put("a.csv", 'message,reply\n"two\nlines",x\n\n' + "".join(f"m{n},r\n" for n in range(10)))
    project.put("a.jsonl", "\n" + jsonl_text(ROWS))
    collected = project.collect("a.csv", "a.jsonl")
    lines = [example.source.row for example in collected.examples]
    assert lines == [2, *range(5, 15), *range(2, 14)]


def test_a_cell_of_ten_megabytes_is_read_and_a_larger_one_is_a_fault(project: CollectProject) -> None:
    large = "x" * (10 * 1024 * 1024)
    project.put("a.csv", csv_text(["message", "reply"], [*PAIRS, (large, "y")]))
    assert len(project.collect("a.csv").pairs[-1][0]) == len(large)
    project.put("a.csv", csv_text(["message", "reply"], [*PAIRS, (large + "x", "y"), ("last", "row")]))
    collected = project.collect({"path": "a.csv", "bad_rows": "set_aside"})
    assert [(row.row, row.code) for row in collected.set_aside] == [(14, "broken_csv")]
    assert collected.pairs[-1] == ("last", "row")


BAD_FILES: list[tuple[str, bytes, str, str]] = [
    ("a.csv", b"", "empty_file", "empty"),
    ("a.csv", b"\n \n", "empty_file", "empty"),
    ("a.jsonl", "\n".encode("utf-16"), "empty_file", "empty"),
    ("a.csv.gz", gzip.compress(b"", mtime=0), "empty_file", "empty"),
    ("a.csv", b"message,reply\n", "header_only", "no rows"),
    ("a.json", b"[]", "header_only", "no rows"),
    ("a.csv", b"\x89PNG\r\n\x1a\n\x00\x00", "binary_file", "PNG"),
    ("a.csv", b"PK\x03\x04rest", "binary_file", "xlsx"),
    ("a.csv", b"%PDF-1.7\n", "binary_file", "PDF"),
    ("a.csv", b"message,reply\na\x00b,c\n", "binary_file", "NUL"),
    ("a.csv.gz", gzip.compress(gzip.compress(b"x", mtime=0), mtime=0), "binary_file", "gzip file inside"),
    ("a.csv.gz", gzip.compress(TABLE.encode() * 50, mtime=0)[:100], "damaged_gzip", "cut off"),
    ("a.parquet", b"message,reply\n1,2\n", "unknown_format", "Parquet"),
    ("a.parquet", b"PAR1 and then nonsense", "damaged_parquet", "damaged"),
    ("a.parquet.gz", gzip.compress(b"PAR1 and so on", mtime=0), "zipped_parquet", "inside"),
    ("a.xyz", b"just some prose, in one line\nand another\n", "unknown_format", "separator"),
    ("a.xyz", b"\x01\x02\x03" * 50, "unknown_format", "separator"),
    ("a.json", b'{"a": 1, "b": "x"}', "no_array_of_rows", "without an array"),
    ("a.json", b'{"a": [{"x": 1}], "b": [{"x": 1}]}', "no_array_of_rows", "several arrays"),
    ("a.json", b'[\n{"a": 1},\n{"a": }\n]', "broken_json", "line 3"),
    ("a.json", b'[{"a": 1}, {"a": 2}', "broken_json", "ends in the middle"),
    ("a.json", b'[{"a": 1} {"a": 2}]', "broken_json", "comma"),
    ("a.json", b'[{"a": 1}]\n[{"a": 2}]', "broken_json", "after the end"),
    ("a.csv", b'"message,reply\n', "broken_header", "double quote"),
    ("a.csv", b"message\nhello\n", "one_column", "only one"),
    ("a.csv", b"message,reply,reply\na,b,c\n", "ambiguous_columns", "reply"),
]


@pytest.mark.parametrize(("name", "content", "code", "words"), BAD_FILES)
def test_a_file_that_cannot_be_read_is_refused_in_words(
    project: CollectProject, name: str, content: bytes, code: str, words: str
) -> None:
    project.put(name, content)
    fault = project.faults({"path": name, "bad_rows": "set_aside"})[0]
    assert (fault.code, fault.exit_code) == (code, 2)
    assert words in fault.what
    assert fault.fix
    assert fault.where.startswith(name)


def test_undecodable_bytes_in_a_json_document_are_told_with_their_line(project: CollectProject) -> None:
    project.put("a.json", b"[\n" + '{"a": "ééééé"},\n'.encode() * 3 + b'{"a": "\xff"}]')
    fault = project.faults("a.json")[0]
    assert (fault.code, fault.where) == ("undecodable", "a.json:5")


def test_a_zip_bomb_is_refused(project: CollectProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(byte_stream, "FREE_BYTES", 1_000_000)
    content = b'{"message": "' + b"x" * 5_000_000 + b'", "reply": "y"}\n'
    project.put("a.jsonl.gz", gzip.compress(content * 2, mtime=0))
    fault = project.faults("a.jsonl.gz")[0]
    assert fault.code == "gzip_too_large"
    monkeypatch.undo()
    project.put("a.jsonl.gz", gzip.compress(content + jsonl_text(ROWS).encode(), mtime=0))
    assert project.collect("a.jsonl.gz").counts["rows"] == 13


def test_a_missing_file_is_told_with_its_near_namesake(project: CollectProject) -> None:
    project.put("tickets.csv", TABLE)
    fault = project.faults("tikets.csv")[0]
    assert fault.code == "missing_file"
    assert "tickets.csv" in fault.fix


def test_a_folder_without_data_files_is_refused(project: CollectProject) -> None:
    project.put("docs/readme.md", "words")
    assert project.faults("docs")[0].code == "no_data_files"


def test_a_file_named_twice_is_refused(project: CollectProject) -> None:
    project.put("data/a.csv", TABLE)
    assert project.faults("data", "data/a.csv")[0].code == "named_twice"


def test_no_sources_at_all_is_refused(project: CollectProject) -> None:
    assert project.faults()[0].code == "no_sources"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused(project: CollectProject) -> None:
    project.put("a.csv", TABLE).chmod(0)
    assert project.faults("a.csv")[0].code == "unreadable_file"


def test_faults_of_all_sources_are_told_at_once(project: CollectProject) -> None:
    project.put("empty.csv", "")
    project.put("picture.csv", b"\x89PNG\r\n\x1a\n")
    project.put("rows.jsonl", jsonl_text(ROWS) + "{broken\n")
    faults = project.faults("missing.csv", "empty.csv", "picture.csv", "rows.jsonl")
    assert [fault.code for fault in faults] == ["missing_file", "empty_file", "binary_file", "broken_json"]
    assert not (project.out / "sources.json").exists()


def test_the_fingerprint_names_each_file_and_changes_with_its_bytes(project: CollectProject) -> None:
    project.put("data/a.csv", TABLE)
    project.put("b.jsonl", jsonl_text(ROWS))
    first = fingerprint(settings_of("data", "b.jsonl"), project.folder)
    assert [entry["path"] for entry in first] == ["data/a.csv", "b.jsonl"]
    assert first[0]["bytes"] == len(TABLE)
    assert fingerprint(settings_of("data", "b.jsonl"), project.folder) == first
    project.put("b.jsonl", jsonl_text(ROWS[:-1]))
    again = fingerprint(settings_of("data", "b.jsonl"), project.folder)
    assert (again[0] == first[0], again[1]["sha256"] == first[1]["sha256"]) == (True, False)


def test_the_fingerprint_tells_all_faults_at_once(project: CollectProject) -> None:
    project.put("picture.csv", b"\x89PNG\r\n\x1a\n")
    with pytest.raises(Faults) as caught:
        fingerprint(settings_of("missing.csv", "picture.csv"), project.folder)
    assert [fault.code for fault in caught.value.faults] == ["missing_file", "binary_file"]


def test_a_large_json_array_is_streamed(project: CollectProject, monkeypatch: pytest.MonkeyPatch) -> None:
    from tunesmith.stages.collect import json_rows

    monkeypatch.setattr(json_rows, "BLOCK", 7)
    rows: list[dict[str, Any]] = [
        {"message": 'sm"all ü 😀', "reply": {"n": [1, -2.5e3, True]}},
        *ROWS,
        {"message": "x" * 5000, "reply": 12345},
    ]
    project.put("a.json", json.dumps({"n": 123456, "rows": rows, "after": None}, ensure_ascii=False, indent=1))
    collected = project.collect("a.json")
    assert len(collected.pairs) == 14
    assert collected.pairs[0] == ('sm"all ü 😀', '{"n": [1, -2500.0, true]}')
    assert collected.pairs[-1] == ("x" * 5000, "12345")


def test_a_file_that_changes_while_it_is_read_is_refused(
    project: CollectProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tunesmith.stages.collect import run

    path = project.put("a.csv", TABLE)

    def changing(of: Path) -> str:
        path.write_text(TABLE + "one,more\n")
        return "0" * 64

    monkeypatch.setattr(run, "sha256_of", changing)
    with pytest.raises(InputError, match="changed_while_reading"):
        project.collect("a.csv")
