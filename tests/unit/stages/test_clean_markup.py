"""Markup that was left over is found and taken out on request; what only looks like it is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from clean_project import TEXT, cleaned, flagged, row, usual
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.stages.clean import markup


@pytest.mark.parametrize(
    "text",
    [
        "Please <b>hurry</b>, it is for Saturday",
        "First line<br>second line",
        "Salt &amp; pepper, &nbsp; both out of stock",
        '<a href="https://shop.example">the shop</a>',
        "[b]Hurry[/b], please",
        "Dear {{ first_name }}, where is it?",
        "<!-- signature --> Anna",
    ],
)
def test_left_over_markup_is_flagged(tmp_path: Path, text: str) -> None:
    assert "the input has" in flagged(tmp_path, row(text, "We will look at it tomorrow morning.", 99), "markup")


@pytest.mark.parametrize(
    "text",
    [
        "Is 3 < 5 and 7 > 2?",
        "What does the <div> tag do?",
        "Use `<br>` in the template",
        "```html\n<p>Hi</p>\n```",
        "I <3 this tent & the stove; thanks",
        "AT&T; and [PERSON_1] {ok}",
        "x < y and z<b > 5",
    ],
)
def test_what_only_looks_like_markup_is_left_alone(text: str) -> None:
    assert markup.find(text) == []
    assert markup.without(text) == text


def test_markup_that_most_rows_have_is_their_style(tmp_path: Path) -> None:
    rows = [row(f"Page {at}", f"<p>Page {at} is here and well.</p>", at) for at in range(40)]
    assert cleaned(tmp_path, rows, TEXT).ledger == []


def test_markup_that_most_rows_have_stays_when_it_is_to_be_taken_out(tmp_path: Path) -> None:
    rows = [row(f"Page {at}", f"<p>Page {at} is here and well.</p>", at) for at in range(40)]
    made = cleaned(tmp_path, rows, TEXT, fix=["markup"])
    assert [example.answer for example in made.kept] == [example.answer for example in rows]


def test_markup_is_taken_out_on_request_with_a_record(tmp_path: Path) -> None:
    odd = row("<p>Salt &amp; pepper</p><p>and <b>soon</b></p>", "Both are on the way to you.<br>Thank you.", 99)
    made = cleaned(tmp_path, [*usual(), odd], TEXT, fix=["markup"])
    [line] = made.ledger
    assert (line.state, line.code) == ("changed", "markup")
    [kept] = [example for example in made.kept if example.id == odd.id]
    assert (kept.input, kept.answer) == ("Salt & pepper\nand soon", "Both are on the way to you.\nThank you.")


MARKED = st.lists(
    st.sampled_from(
        ["<p>", "</p>", "<b>", "</b>", "<br>", "&amp;", "&lt;", "b", "&gt;", "br", "/", ">", "<", "tent ", "`"]
    )
).map("".join)


@given(MARKED)
def test_taking_markup_out_twice_is_as_once(text: str) -> None:
    once = markup.without(text)
    assert markup.without(once) == once
