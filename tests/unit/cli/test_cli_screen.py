"""What a user's data holds is shown on the screen, never obeyed by it."""

from __future__ import annotations

import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.cli.screen import Screen, brief, safe
from tunesmith.cli.words import counts_in_words, done_of
from tunesmith.events import duration

anything = st.text(st.characters(), max_size=200)


@given(anything)
def test_no_control_character_reaches_the_terminal(text: str) -> None:
    shown = safe(text)
    assert all(unicodedata.category(character) not in ("Cc", "Cs") or character in "\n\t" for character in shown)
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@given(st.text(st.characters(exclude_categories=["C"]), max_size=200))
def test_ordinary_text_is_shown_as_it_is(text: str) -> None:
    assert safe(text) == text


def test_an_escape_sequence_is_made_visible() -> None:
    assert safe("\x1b]0;owned\x07") == "␛]0;owned␇"
    assert safe("a\r\nb\x9b2J\u202e") == "a\nb\\x9b2J\\u202e"


@given(anything, st.integers(2, 60))
def test_brief_gives_one_line_that_fits(text: str, limit: int) -> None:
    shown = brief(text, limit)
    assert len(shown) <= limit
    assert "\n" not in shown


@pytest.mark.parametrize("write", ["say", "indented", "heading"])
def test_markup_in_a_text_stays_text(write: str) -> None:
    file = io.StringIO()
    getattr(Screen(file=file), write)("[bold]not bold[/] [link=x]y[/link] :smile: [/nonsense]")
    assert "[bold]not bold[/] [link=x]y[/link] :smile: [/nonsense]" in file.getvalue()


def test_markup_in_a_table_stays_text() -> None:
    file = io.StringIO()
    screen = Screen(file=file)
    screen.table(["a"], [["[red]x[/red] :smile:"]])
    screen.pairs([("b", "[/] \x1b[31m")])
    assert "[red]x[/red] :smile:" in file.getvalue()
    assert "[/] ␛[31m" in file.getvalue()


def test_a_long_line_in_a_pipe_is_not_broken() -> None:
    file = io.StringIO()
    Screen(file=file).say("word " * 100)
    Screen(file=file).pairs([("folder", "/deep" * 100)])
    assert file.getvalue().count("\n") == 2


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0.0 s"),
        (0.0004, "0.4 ms"),
        (0.00099, "1 ms"),
        (0.04, "40 ms"),
        (0.0996, "0.1 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (200, "3 min 20 s"),
        (3900, "1 h 05 min"),
    ],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_counts_in_words_leave_out_what_is_zero_or_nested() -> None:
    counts = {
        "rows": 1312,
        "kept": 1300,
        "set_aside": 0,
        "by_code": {"empty": 12},
        "verdict": "still_learning",
        "f1": 0.5,
    }
    assert counts_in_words(counts) == "1,312 rows, kept 1,300, verdict still learning, f1 0.5"
    assert counts_in_words({"files": 1, "criteria": 1, "best_step": 1}) == "1 file, 1 criterion, best step 1"


def test_how_much_is_done_in_words() -> None:
    assert done_of(1000, 40_000, "rows") == "1,000 of 40,000 rows"
    assert done_of(1000, None, "rows") == "1,000 rows"
    assert done_of(12_000_000, 93_000_000, "bytes") == "12 of 93 MB"
