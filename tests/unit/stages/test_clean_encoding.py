"""Texts that were read in the wrong encoding are mended; sound ones are never touched."""

from __future__ import annotations

from pathlib import Path

import pytest
from clean_project import TEXT, THINGS, cleaned, row, usual
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.example import messages_from_json
from tunesmith.products import GoalSheet
from tunesmith.stages.clean.encoding import mended


@pytest.mark.parametrize(
    ("broken", "meant"),
    [
        ("The cafÃ© opens at nine.", "The café opens at nine."),
        ("It doesnâ€™t fit the poleâ€¦", "It doesn’t fit the pole…"),
        ("GrÃ¼ÃŸe aus MÃ¼nchen", "Grüße aus München"),
        ("ÐŸÑ€Ð¸Ð²ÐµÑ‚, ÐºÐ°Ðº Ð´ÐµÐ»Ð°?", "Привет, как дела?"),
        ("That is 12 â‚¬ for two.", "That is 12 € for two."),
    ],
)
def test_a_broken_encoding_is_mended_with_a_record(tmp_path: Path, broken: str, meant: str) -> None:
    given_row = row(broken, "Thank you, we will look at it.", 99)
    made = cleaned(tmp_path, [*usual(), given_row], TEXT, flag=[])
    [line] = made.ledger
    assert (line.id, line.state, line.code) == (given_row.id, "changed", "encoding")
    assert line.before is not None
    assert messages_from_json(line.before) == given_row.messages
    assert "→" in line.evidence
    assert next(example.input for example in made.kept if example.id == given_row.id) == meant


def test_of_a_broken_row_with_private_data_the_ledger_tells_no_characters(tmp_path: Path) -> None:
    given_row = row("Write to jÃ¶rg.mÃ¼ller@example.org please", "We did.", 99)
    made = cleaned(tmp_path, [*usual(), given_row], TEXT, flag=[])
    assert {line.code: line.evidence for line in made.ledger}["encoding"] == "read in the wrong encoding"
    assert next(example.input for example in made.kept if example.id == given_row.id) == "Write to [EMAIL_1] please"


def test_a_label_that_is_itself_broken_is_left_as_the_goal_has_it(tmp_path: Path) -> None:
    goal = GoalSheet("text", "label", "", labels=("cafÃ©", "bar"))
    rows = [row(f"question number {at} about {THINGS[at % 15]}", ("cafÃ©", "bar")[at % 2], at) for at in range(20)]
    assert cleaned(tmp_path, rows, goal).counts["kept"] == 20


WORDS = [
    *("the", "tent", "Grüße", "naïve", "café", "déjà", "Straße", "año", "niño", "coração", "Übergröße", "12", "€", "½"),
    *("“quoted”", "don’t", "–", "…", "привет", "Ελλάδα", "東京", "テント", "안녕", "שלום", "مرحبا", "łódź", "čeština"),
    *("İstanbul", "smørrebrød", "5°C", "£3", "©", "2024", "l'été"),
]


@pytest.mark.parametrize(
    "text",
    ["euro sign turns into â‚¬ in the export from the lake", "It says cafÃ© instead of café", "Ã¼ statt ü im Brief"],
)
def test_a_text_about_broken_characters_keeps_them(text: str) -> None:
    assert mended(text) == text


SOUND = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)


@given(SOUND)
def test_sound_text_is_never_touched_and_what_was_broken_comes_back(text: str) -> None:
    assert mended(text) == text
    assert mended(mended(text)) == text


@given(st.sampled_from(["Grüße", "café", "niño", "don’t", "€", "Straße", "coração", "smørrebrød"]), st.text("ab c"))
def test_text_that_was_read_as_latin_1_comes_back(word: str, around: str) -> None:
    text = f"{around}{word} {around}"
    try:
        broken = text.encode("utf-8").decode("cp1252")
    except UnicodeDecodeError:
        return
    assert mended(broken) == text
