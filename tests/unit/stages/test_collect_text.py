"""Plain text: passages of a file, or a column, to be learned whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from collect_project import CollectProject, csv_text, jsonl_text
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.stages.collect.look import look
from tunesmith.stages.collect.settings import SourceSettings
from tunesmith.stages.collect.text_rows import LONGEST, pieces

PARAGRAPHS = [f"Paragraph {number} of the book.\nIt goes on, {'and on ' * (number % 5)}here." for number in range(60)]


@pytest.fixture
def project(tmp_path: Path) -> CollectProject:
    return CollectProject(tmp_path)


def test_a_text_file_becomes_passages_of_whole_paragraphs(project: CollectProject) -> None:
    text = "\n\n".join(PARAGRAPHS)
    project.put("book.txt", text)
    collected = project.collect({"path": "book.txt", "passage": 200})
    assert collected.counts["set_aside"] == 0
    assert all(example.is_document for example in collected.examples)
    assert "\n\n".join(example.input for example in collected.examples) == text
    assert all(len(example.input) <= 200 for example in collected.examples)
    lines = text.splitlines()
    for example in collected.examples:  # each begins on the line that it names
        assert lines[example.source.row - 1] == example.input.splitlines()[0]
    assert collected.sources[0]["shape"] == "text"
    assert "learned whole" in collected.texts("note")[0]


def test_each_paragraph_can_be_a_row_of_its_own(project: CollectProject) -> None:
    project.put("book.txt", "\n\n".join(PARAGRAPHS))
    collected = project.collect({"path": "book.txt", "passage": 1})
    assert [example.input for example in collected.examples] == PARAGRAPHS


def test_lines_without_blank_lines_between_them_are_put_together(project: CollectProject) -> None:
    lines = [f"line {number} of a list" for number in range(3000)]
    project.put("list.txt", "\n".join(lines))
    collected = project.collect("list.txt")
    assert "\n".join(example.input for example in collected.examples).splitlines() == lines
    assert max(len(example.input) for example in collected.examples) <= LONGEST


@given(text=st.text(alphabet="ab .!?\u3002", max_size=400), longest=st.integers(1, 50))
def test_cutting_a_line_loses_nothing(text: str, longest: int) -> None:
    found = list(pieces(text, longest))
    assert "".join(found) == text
    assert all(len(piece) <= longest for piece in found)


def test_a_column_of_text_is_learned_whole_where_it_is_asked_for(project: CollectProject) -> None:
    project.put("stories.jsonl", jsonl_text({"text": f"Story {number}."} for number in range(12)))
    project.put("pages.csv", csv_text(["url", "body"], [(f"u{number}", f"Page {number}.") for number in range(12)]))
    found = project.collect({"path": "stories.jsonl", "shape": "text"}, {"path": "pages.csv", "shape": "text"})
    assert [example.input for example in found.examples[::12]] == ["Story 0.", "Page 0."]
    assert all(example.is_document for example in found.examples)
    fault = project.faults("stories.jsonl")[0]
    assert fault.code == "one_column"
    assert "shape: text" in fault.fix


def test_a_folder_gives_its_text_files_only_where_text_is_asked_for(project: CollectProject) -> None:
    project.put("data/a.txt", "\n\n".join(PARAGRAPHS))
    project.put("data/README.md", "\n\n".join(PARAGRAPHS))
    assert project.faults("data")[0].code == "no_data_files"
    found = project.collect({"path": "data", "shape": "text", "passage": 1})
    assert [source["path"] for source in found.sources] == ["data/README.md", "data/a.txt"]


@pytest.mark.parametrize(
    ("source", "output", "code"),
    [
        ({"path": "book.txt"}, "label", "unknown_format"),
        ({"path": "book.txt", "shape": "text"}, "json", "text_without_text_output"),
        ({"path": "pages.csv", "shape": "text", "input": "a"}, "text", "text_without_input"),
        ({"path": "pages.csv", "shape": "text"}, "text", "ambiguous_columns"),
    ],
)
def test_text_that_does_not_fit_the_goal_is_refused(project: CollectProject, source, output: str, code: str) -> None:
    project.put("book.txt", "\n\n".join(PARAGRAPHS))
    project.put("pages.csv", csv_text(["a", "b"], [("x", "y")] * 12))
    assert project.faults(source, output=output)[0].code == code


def test_a_txt_file_with_a_table_or_json_lines_in_it_is_read_as_such(project: CollectProject) -> None:
    project.put("rows.txt", csv_text(["message", "reply"], [(f"q {n}", f"a {n}") for n in range(12)]))
    assert project.collect("rows.txt").sources[0]["shape"] == "columns"
    [seen] = look(SourceSettings(path="rows.txt", shape="text"), project.folder)
    assert (seen.shape, seen.rows[0][0]) == ("text", "")


def test_a_line_that_is_not_text_is_told_with_its_place(project: CollectProject) -> None:
    project.put("book.txt", ("\n\n".join(PARAGRAPHS)).encode() + b"\n\nbro\xffken\n")
    found = project.collect({"path": "book.txt", "encoding": "utf-8", "bad_rows": "set_aside", "passage": 1})
    assert [(row.code, row.row) for row in found.set_aside] == [("undecodable", 181)]
    assert len(found.examples) == len(PARAGRAPHS)
