"""Documents become chunks: no word is lost, sentences stay whole, headings stand above their text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.errors import InputError
from tunesmith.retrieval.chunks import LONGEST, chunks_of, sentences
from tunesmith.retrieval.documents import fingerprint, read_sections, sections_of

words = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=8)
sentence = st.lists(words, min_size=1, max_size=12).map(lambda some: " ".join(some) + ".")
paragraphs = st.lists(st.lists(sentence, min_size=1, max_size=5).map(" ".join), max_size=6)


@given(paragraphs, st.integers(10, 40))
def test_no_word_is_lost_and_none_stands_twice(paragraphs, size):
    text = "\n\n".join(paragraphs)
    found = list(chunks_of(sections_of(text, "a.txt"), size))
    assert " ".join(chunk.text for chunk in found).split() == text.split()


@given(paragraphs, st.integers(10, 40))
def test_sentences_stay_whole_and_chunks_small(paragraphs, size):
    found = list(chunks_of(sections_of("\n\n".join(paragraphs), "a.txt"), size))
    known = {one for text in paragraphs for one in sentences(text)}
    for chunk in found:
        assert set(sentences(chunk.text)) <= known
        assert len(chunk.text.split()) <= max(size, LONGEST * size)


def test_a_sentence_that_never_ends_is_cut_at_words():
    text = " ".join(f"word{number}" for number in range(100))
    found = list(chunks_of(sections_of(text, "a.txt"), 20))
    assert [len(chunk.text.split()) for chunk in found] == [20] * 5


def test_no_chunk_crosses_a_heading_and_each_knows_those_above_it():
    text = "# Rooms\n\nAll are open.\n\n## Falcon\n\nCode 4417.\nSeats 12.\n\n"
    text += "```\n# not a heading\n```\n\n# Food\n\nAt noon."
    found = list(chunks_of(sections_of(text, "house.md"), 50))
    assert [(chunk.title, chunk.text, chunk.where) for chunk in found] == [
        ("Rooms", "All are open.", "house.md:3"),
        ("Rooms / Falcon", "Code 4417. Seats 12. ``` # not a heading ```", "house.md:7"),
        ("Food", "At noon.", "house.md:16"),
    ]
    assert found[0].shown == "Rooms\nAll are open."


def test_a_page_is_read_as_a_person_sees_it():
    page = (
        "<html><head><title>x</title><style>p {}</style></head><body><h1>Hours &amp; days</h1>\n"
        "<p>We open at <b>nine</b>.<br>We close at six.</p><script>var a = '<p>no</p>'</script>"
        "<ul><li>Monday</li><li>Friday</li></ul></body></html>"
    )
    [section] = sections_of(page, "hours.html")
    assert section.title == ("Hours & days",)
    assert [text for _, text in section.paragraphs] == ["We open at nine.", "We close at six.", "Monday", "Friday"]


def test_a_folder_is_read_below_hidden_files_left_out_and_every_fault_told(tmp_path):
    (tmp_path / "a.md").write_text("One.", encoding="utf-8")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "b.txt").write_text("Two.", encoding="utf-8")
    (tmp_path / ".hidden.md").write_text("No.", encoding="utf-8")
    (tmp_path / "c.pdf").write_bytes(b"%PDF")
    assert [section.path for section in read_sections(tmp_path)] == ["a.md", "below/b.txt"]
    before = fingerprint(tmp_path)
    (tmp_path / "below" / "b.txt").write_bytes(b"\xff\xfe broken")
    assert fingerprint(tmp_path) != before
    with pytest.raises(InputError, match="not UTF-8") as caught:
        list(read_sections(tmp_path))
    assert caught.value.where.endswith("b.txt")


def test_a_place_without_documents_is_told(tmp_path):
    with pytest.raises(InputError, match="no_knowledge"):
        list(read_sections(tmp_path / "nowhere"))
