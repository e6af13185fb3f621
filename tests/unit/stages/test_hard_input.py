"""Input that is hard to bear: whatever comes in, every row is accounted for, and nothing private stays."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.stages.clean_project import LABELS, TEXT, TICKET, Made, cleaned, filler, parted, row
from tests.unit.stages.collect_project import CollectProject, csv_text, jsonl_text, settings_of
from tunesmith import json_schema
from tunesmith.errors import InputError
from tunesmith.example import Example
from tunesmith.example_parquet import read_examples
from tunesmith.products import CleanSet, GoalSheet
from tunesmith.stages.clean import first_pass
from tunesmith.stages.collect import run as collect
from tunesmith.stages.context import Context
from tunesmith.stages.split import read

#: A few characters of every plane, halves of pairs, and those that no text should hold.
PLANES = "".join(chr(plane * 0x10000 + place) for plane in range(17) for place in (0x21, 0x41, 0x3FFF, 0xFFFD, 0xFFFF))
ODD = "\x00\x01\x1b\x7f\x85\u00ad\u061c\u200b\u200e\u200f\u202e\u2028\u2066\ufeff\ud800\udbff\udc00\udfff\r\n\t "
HOSTILE = st.one_of(
    st.text(st.sampled_from(PLANES + ODD), max_size=12),
    st.text(st.characters(), max_size=12),
    st.sampled_from(
        [
            "",
            " ",
            "refund",
            "REFUND\u200b",
            "שלום anna@example.com",
            "\u202emoc.elpmaxe@anna",
            '{"category": "billing"}',
        ]
    ),
)


def whole(text: str) -> bool:
    """Whether no half of a pair stands alone in the text: no file can hold one, but JSON in a cell can."""
    return text.encode("utf-8", "replace").decode() == text


def as_read(text: str, ascii_only: bool) -> str | None:
    """The text as it comes out of a line of JSON; None where the line is broken."""
    try:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le") if ascii_only else text.encode().decode()
    except UnicodeError:
        return None


def assert_adds_up(made: Made, examples: Sequence[Example]) -> None:
    """Each row that came in is in one file, and only rows that came in are."""
    counts = made.counts
    assert counts["in"] == len(examples) == counts["kept"] + counts["merged"] + counts["set_aside"]
    ids = Counter(example.id for name in ("examples", "merged", "set_aside") for example in made.read(name))
    assert ids == Counter(example.id for example in examples)
    assert {line.id for line in made.ledger} <= set(ids)


@pytest.mark.parametrize("goal", [TEXT, LABELS, TICKET], ids=["text", "label", "json"])
@given(texts=st.lists(st.tuples(HOSTILE, HOSTILE, st.one_of(st.none(), HOSTILE.filter(whole))), max_size=8))
@settings(max_examples=12)
def test_text_of_every_plane_is_accounted_for(goal: Any, texts: list[tuple[str, str, str | None]]) -> None:
    answer = '{"category": "billing", "reply": "ok"}'
    sound = filler([answer] if goal is TICKET else ("refund", "card lost"))
    hard = [row(given, answered, at, rejected=other) for at, (given, answered, other) in enumerate(texts, 2)]
    with tempfile.TemporaryDirectory() as folder:
        made = cleaned(Path(folder), [*hard, *sound], goal)
        assert_adds_up(made, [*hard, *sound])
        parts = parted(Path(folder), made.kept, goal)
        assert sum(parts.counts.values()) == made.counts["kept"]


@given(rows=st.lists(st.tuples(HOSTILE, HOSTILE), min_size=1, max_size=12), ascii_only=st.booleans())
@settings(max_examples=25)
def test_lines_of_any_text_become_examples_or_are_set_aside(rows: list[tuple[str, str]], ascii_only: bool) -> None:
    lines = [json.dumps({"message": given, "reply": answer}, ensure_ascii=ascii_only) for given, answer in rows]
    lines += [json.dumps({"message": f"question {number}", "reply": f"answer {number}"}) for number in range(12)]
    with tempfile.TemporaryDirectory() as folder:
        project = CollectProject(Path(folder))
        project.put("a.jsonl", b"".join(line.encode("utf-8", "surrogatepass") + b"\n" for line in lines))
        made = project.collect({"path": "a.jsonl", "bad_rows": "set_aside", "encoding": "utf-8"})
    assert made.counts["rows"] == len(lines) == len(made.examples) + len(made.set_aside)
    found = [tuple(as_read(text, ascii_only) for text in texts) for texts in rows]
    due = [texts for texts in found if None not in texts]
    assert [(example.input, example.answer) for example in made.examples[: len(due)]] == due


ADDRESS = "zqanna.berg@zqmail.org"
DISGUISES = [
    ADDRESS,
    ADDRESS.upper(),
    "\u200b".join(ADDRESS),
    "\u2060".join(ADDRESS),
    "\u00ad".join(ADDRESS),
    f"\u202b{ADDRESS}\u202c",
    f"\u2067{ADDRESS}\u2069",
    "".join(chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter for letter in ADDRESS),  # full width
    ADDRESS.replace("a", "а").replace("e", "е"),  # Cyrillic
    ADDRESS.replace("o", "ο").replace("i", "ι"),  # Greek
    ADDRESS.replace("@", "＠").replace(".", "．"),
    "".join(chr(0x1D41A + ord(letter) - 97) if letter.islower() else letter for letter in ADDRESS),  # bold
]


def test_addresses_in_disguise_are_masked_everywhere_and_are_one_person(tmp_path: Path) -> None:
    hard = [
        row(f"{'abcdefghijklmnopqrs'[at] * 6} write to {disguise} or {ADDRESS}", f"I wrote to {disguise}", at + 2)
        for at, disguise in enumerate(DISGUISES)
    ]
    made = cleaned(tmp_path, hard, TEXT)
    assert_adds_up(made, hard)
    assert made.counts["kept"] == len(hard)
    for example in made.kept:
        seen = ["".join(filter(str.isprintable, text)) for text in (example.input, example.answer or "")]
        assert seen[0].endswith("write to [EMAIL_1] or [EMAIL_1]"), ascii(example.input)
        assert seen[1] == "I wrote to [EMAIL_1]"
    assert len({private.example.id for private in CleanSet(made.folder, {}).private()}) == len(hard)


def test_rows_of_private_data_alone_are_kept_masked_or_set_aside_whole(tmp_path: Path) -> None:
    values = [f"zq{number}@zqmail{number}.org, +49 30 90182{number:04d}" for number in range(40)]
    hard = [row(value, value, at) for at, value in enumerate(values, 2)]
    with pytest.raises(InputError, match="1 of 40 examples stay") as told:
        cleaned(tmp_path, hard, TEXT)
    assert "zq" not in str(told.value).replace("rows.csv", "")
    sound = filler()
    made = cleaned(tmp_path, [*hard, *sound], TEXT)
    assert_adds_up(made, [*hard, *sound])
    assert (made.counts["kept"], made.counts["merged"]) == (13, 39)  # masked, they are all the same
    made = cleaned(tmp_path, [*hard, *sound], TEXT, private="set_aside")
    assert_adds_up(made, [*hard, *sound])
    assert (made.counts["kept"], made.counts["set_aside"]) == (12, 40)
    assert all("zq" not in example.input + (example.answer or "") for example in made.read("set_aside"))


def test_a_data_set_of_one_row_again_and_again_is_refused_with_its_first(tmp_path: Path) -> None:
    same = [row("Where is my card?", "refund", at) for at in range(2, 502)]
    with pytest.raises(InputError, match=r"1 of 500 examples stay.*499 merged.*duplicate: 499.*rows.csv:3"):
        cleaned(tmp_path, same)
    made = cleaned(tmp_path, [*same, *filler()])
    assert_adds_up(made, [*same, *filler()])
    assert (made.counts["kept"], made.counts["merged"]) == (13, 499)


def test_ten_megabytes_in_a_cell_are_one_row_like_others(tmp_path: Path) -> None:
    long = "word " * (2 * 1024 * 1024 - 10)
    project = CollectProject(tmp_path)
    rows = [(f"question {number}", f"answer {number}") for number in range(12)]
    project.put("a.csv", csv_text(["message", "reply"], [(long, "one"), *rows, ("two", long)]))
    project.put("b.jsonl.gz", gzip.compress(jsonl_text([{"message": f"!{long}", "reply": "three"}]).encode()))
    found = project.collect("a.csv", "b.jsonl.gz").examples
    assert [len(example.input) for example in found if example.answer == "one"] == [len(long)]
    assert len(found) == 15
    made = cleaned(tmp_path, found, TEXT)
    assert_adds_up(made, found)
    assert made.counts["by_code"] == {"too_long": 3}
    made = cleaned(tmp_path, found, TEXT, max_characters=20_000_000)
    assert_adds_up(made, found)
    assert made.counts["kept"] == 15
    assert sum(parted(tmp_path, made.kept, TEXT).counts.values()) == 15


def assert_both_are_read(folder: Path, rows: int) -> None:
    """Two files of so many rows, with other columns in another order, are read as one data set."""
    with (folder / "one.csv").open("w", encoding="utf-8") as file:
        file.write("id,message,team,reply\n")
        file.writelines(f"{number},first question {number},red,first answer {number}\n" for number in range(rows))
    with (folder / "two.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(
            f'{{"solution": "second answer {number}", "lang": "en", "ask": "second question {number}"}}\n'
            for number in range(rows)
        )
    out = folder / "out"
    out.mkdir()
    sources = settings_of(
        {"path": "one.csv", "input": "message", "output": "reply"},
        {"path": "two.jsonl", "input": "ask", "output": "solution"},
    )
    counts = collect.run({}, sources, Context("collect", folder, out, folder, facts={"output": "text"}))
    assert counts == {"files": 2, "rows": 2 * rows, "examples": 2 * rows, "set_aside": 0}
    seen = 0
    for place, example in enumerate(read_examples(out / "examples.parquet")):
        which, line = ("first", place + 2) if place < rows else ("second", place - rows + 1)
        number = place % rows
        assert (example.input, example.answer) == (f"{which} question {number}", f"{which} answer {number}")
        assert example.source.row == line
        seen += 1
    assert seen == 2 * rows


def test_files_with_other_columns_are_one_data_set(tmp_path: Path) -> None:
    assert_both_are_read(tmp_path, 3000)


@pytest.mark.slow
def test_files_of_a_million_rows_with_other_columns_are_one_data_set(tmp_path: Path) -> None:
    assert_both_are_read(tmp_path, 1_000_000)


def test_a_pattern_that_never_ends_stops_the_cleaning_with_its_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_schema, "PATTERN_SECONDS", 0.05)
    schema = {"type": "object", "properties": {"code": {"type": "string", "pattern": "^(a|a)*$"}}}
    goal = GoalSheet("text", "json", "You read.", schema=schema)
    answers = ['{"code": "aaa"}'] * 12 + [json.dumps({"code": "a" * 50 + "b"})]
    hard = [row(f"question number {at * at}", answer, at) for at, answer in enumerate(answers, 2)]
    with pytest.raises(InputError) as told:
        cleaned(tmp_path, hard, goal)
    assert (told.value.code, told.value.where) == ("slow_pattern", "rows.csv:14")
    assert "'^(a|a)*$'" in told.value.what


def many(number: int) -> list[Example]:
    """Rows in several groups of the file: some are copies, some are private, some are empty."""
    texts = (f"{'pqrstuvwxyz'[at % 11] * 3} question {at % 9000} {at % 9000 * 7}" for at in range(number))
    return [
        row("" if at % 97 == 0 else f"{text} a{at}@example.com" if at % 13 == 0 else text, "refund", at + 2)
        for at, text in enumerate(texts)
    ]


def test_other_processes_find_what_one_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = many(18_000)
    one = cleaned(tmp_path, examples, TEXT)
    assert_adds_up(one, examples)
    alone = parted(tmp_path, one.kept[:9000], TEXT)
    for module in (first_pass, read):
        monkeypatch.setattr(module, "FEWEST_ROWS", 1)
        monkeypatch.setattr(module, "cores", lambda: 2)
    several = cleaned(tmp_path, examples, TEXT)
    for name in ("examples", "merged", "set_aside", "ledger", "private"):
        assert (several.folder / f"{name}.parquet").read_bytes() == (one.folder / f"{name}.parquet").read_bytes()
    together = parted(tmp_path, one.kept[:9000], TEXT)
    assert together.part_of() == alone.part_of()
    assert together.certificate == alone.certificate
