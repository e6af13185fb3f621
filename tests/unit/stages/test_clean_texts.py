"""What `clean` finds in the texts of rows: another language, a broken rule; and what holds of all it finds."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from clean_project import TEXT, cleaned, flagged, row, usual
from hypothesis import given, settings
from hypothesis import strategies as st

from tunesmith.example import messages_from_json
from tunesmith.language import is_other, language_of
from tunesmith.products import CleanSet, GoalSheet, Rule


def test_sound_rows_are_not_flagged(tmp_path: Path) -> None:
    made = cleaned(tmp_path, usual(), TEXT)
    assert made.ledger == []
    assert CleanSet(made.folder, {}).survey.uneven == ()
    assert CleanSet(made.folder, {}).survey.looked_at == 60


def test_a_row_in_another_language_is_flagged_with_both_languages_named(tmp_path: Path) -> None:
    odd = row("Ich möchte bitte mein Geld zurück, das Zelt kam ohne Heringe an.", "We send it back to you today.", 99)
    told = flagged(tmp_path, odd, "language")
    assert "German" in told
    assert "English" in told
    made = cleaned(tmp_path, [*usual(), odd], TEXT, drop=["language"])
    assert made.line(odd).state == "set_aside"


def test_a_set_of_several_languages_has_no_rest(tmp_path: Path) -> None:
    german = [
        row(f"Meine Bestellung über {at} Zelte ist noch nicht da, wo ist das Paket?", "Es kommt bald.", 200 + at)
        for at in range(30)
    ]
    made = cleaned(tmp_path, [*usual(), *german], TEXT)
    assert [line for line in made.ledger if line.code == "language"] == []


def test_near_languages_short_texts_and_lists_of_names_are_not_told_apart() -> None:
    assert not is_other("no", "da")
    assert is_other("de", "en")
    assert language_of("Bonjour Madame") is None
    assert language_of("AB-12 / 4711 / XZ-9 / 2024-12-24 / 42 / 77 / 88-99 / 1234567890") is None


@given(st.text())
def test_any_text_has_a_language_or_none(text: str) -> None:
    found = language_of(text * 20)
    assert found is None or found.share >= 80


RULES = GoalSheet(
    "text",
    "text",
    "",
    rules=(Rule(ends_with=("Friday.",), never_contains=("guarantee",), at_most_words=30), Rule(matches=r"parcel \d+")),
)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("We found it in parcel 7; with our Guarantee it comes on Friday.", "must not be there"),
        ("We found it in parcel 7; it comes on Monday.", "not with"),
        ("We found it; it comes on Friday.", "is not found"),
        ("parcel 7 " + "and on " * 20 + "Friday.", "more than 30"),
    ],
)
def test_an_answer_that_breaks_a_rule_is_set_aside_with_the_rule(tmp_path: Path, answer: str, told: str) -> None:
    odd = row("And mine?", answer, 99)
    made = cleaned(tmp_path, [*usual(), odd], RULES)
    [line] = [line for line in made.ledger if line.state == "set_aside"]
    assert (line.id, line.code) == (odd.id, "rules")
    assert told in line.evidence


ANY = st.text(st.sampled_from("ab .,'\"“”’\n-*•€$15 <>&;()[]{}`\t\u00a0"), max_size=40)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(ANY, ANY), min_size=10, max_size=14))
def test_with_every_fix_and_look_on_nothing_is_lost_and_a_second_run_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]]
) -> None:
    every = ["encoding", "markup", "spaces", "quotes", "bullets", "money", "decimals", "full_stop"]
    rows = [row(f"question {at} {given_text}", f"{at} {answer}", at) for at, (given_text, answer) in enumerate(pairs)]
    made = cleaned(tmp_path_factory.mktemp("any"), rows, TEXT, fix=every, drop=["empty"], private="keep")
    assert made.counts["in"] == len(rows) == made.counts["kept"]
    for line in made.ledger:
        if line.state == "changed":
            before = next(example for example in rows if example.id == line.id)
            assert line.before is not None
            assert messages_from_json(line.before) == before.messages


@pytest.mark.parametrize(
    ("file", "given_key", "answer_key"),
    [("support-desk/tickets.csv", "message", "reply"), ("brand-voice/products.jsonl", "prompt", "completion")],
)
def test_of_the_rows_of_the_examples_none_is_flagged(
    tmp_path: Path, file: str, given_key: str, answer_key: str
) -> None:
    """Their faults are of other kinds: every flag would be a false alarm."""
    path = Path(__file__).parents[3] / "examples" / file
    with path.open(encoding="utf-8", newline="") as lines:
        found = list(csv.DictReader(lines)) if path.suffix == ".csv" else [json.loads(line) for line in lines]
    rows = [row(each[given_key], each[answer_key], at) for at, each in enumerate(found)]
    assert len(rows) > 350
    made = cleaned(tmp_path, rows, TEXT)
    looked_at = [line for line in made.ledger if line.state == "flagged" and line.code != "conflict"]
    assert looked_at + [line for line in made.ledger if line.code == "encoding"] == []
