"""What the answers write in several ways is one finding, and is made one on request where that is safe."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
from clean_project import REPLY, TEXT, THINGS, cleaned, row, usual

from tunesmith.products import CleanSet, GoalSheet, UnevenFormat
from tunesmith.stages.clean.row_steps import RowSteps
from tunesmith.stages.clean.settings import CleanSettings
from tunesmith.stages.clean.survey import spread


@pytest.mark.parametrize("rows", [10, 11, 100, 101])
def test_the_survey_looks_at_rows_from_the_whole_file_each_once(tmp_path: Path, rows: int) -> None:
    made = cleaned(tmp_path, usual(rows), TEXT)
    source = next(tmp_path.glob("collect-*")) / "examples.parquet"
    looked = [example.source.row for example in spread(source, made.counts["in"], most=9)]
    assert looked == sorted(set(looked))
    assert len(looked) == 9
    assert looked[-1] >= made.counts["in"] * 0.8


def uneven(
    tmp_path: Path, answers: list[str], goal: GoalSheet = TEXT, **chosen: object
) -> tuple[list[UnevenFormat], list[str]]:
    """What is found uneven, and the answers as they are kept."""
    rows = [row(f"question {at} about the {THINGS[at % 15]}", answer, at) for at, answer in enumerate(answers)]
    made = cleaned(tmp_path, rows, goal, **chosen)
    return list(CleanSet(made.folder, {}).survey.uneven), [str(example.answer) for example in made.kept]


STRAIGHT = [f'We don\'t have "{thing}" number {at} now.' for at, thing in enumerate(THINGS)]
CURLY = [text.replace("'", "’").replace('"', "”").replace(" ”", " “") for text in STRAIGHT]
BULLETS = [f"Parts of {at}:\n- pole\n- peg" for at in range(12)]
EURO_AFTER = [f"It costs {at} € for all." for at in range(12)]
POINT = [f"It costs €{at}.50 for all." for at in range(12)]
NO_STOP = [f"Ten good {thing}s for you" for thing in THINGS]


@pytest.mark.parametrize(
    ("code", "usual_answers", "odd", "mended_answer"),
    [
        ("quotes", STRAIGHT, "We don’t have “ropes” now.", 'We don\'t have "ropes" now.'),
        ("quotes", CURLY, 'We don\'t have "ropes" now.', "We don’t have “ropes” now."),
        ("spaces", STRAIGHT, "  Not now.\n\n\n\nLater.\n", "Not now.\n\nLater."),
        ("bullets", BULLETS, "Parts:\n* pole\n* bag", "Parts:\n- pole\n- bag"),
        ("money", EURO_AFTER, "It costs EUR 7 for all.", "It costs 7 € for all."),
        ("decimals", POINT, "It costs €1.007,25 for all.", "It costs €1,007.25 for all."),
        ("full_stop", NO_STOP, "Some good hats for you.", "Some good hats for you"),
    ],
)
def test_uneven_format_is_one_finding_and_is_mended_on_request(
    tmp_path: Path, code: str, usual_answers: list[str], odd: str, mended_answer: str
) -> None:
    answers = [*usual_answers, odd]
    found, kept = uneven(tmp_path, answers)
    assert kept == answers
    [finding] = [one for one in found if one.code == code]
    assert finding.exceptions == 1
    assert finding.wanted is not None
    found, kept = uneven(tmp_path, answers, fix=[code])
    assert [one for one in found if one.code == code] == []
    assert kept == [*usual_answers, mended_answer]
    assert uneven(tmp_path, kept, fix=[code]) == (found, kept)


def _tickets(key: str, values: list[str]) -> list[str]:
    return [json.dumps({key: value, "reply": f"Number {at} is on its way."}) for at, value in enumerate(values)]


def test_dates_of_a_field_get_one_form_where_they_can_be_read(tmp_path: Path) -> None:
    values = [f"2024-03-{day:02}" for day in range(1, 13)] + ["14.05.2024", "15 June 2024"]
    found, kept = uneven(tmp_path, _tickets("day", values), REPLY, fix=["dates"])
    assert [json.loads(answer)["day"] for answer in kept][-2:] == ["2024-05-14", "2024-06-15"]
    assert found == []


def test_dates_that_can_be_read_in_two_ways_are_shown_and_not_changed(tmp_path: Path) -> None:
    values = [f"2024-03-{day:02}" for day in range(1, 13)] + ["03/04/2024"]
    _, kept = uneven(tmp_path, _tickets("day", values), REPLY, fix=["dates"])
    assert json.loads(kept[-1])["day"] == "03/04/2024"
    assert uneven(tmp_path, _tickets("day", values), REPLY)[0][0].code == "dates"


def test_slashes_mean_what_the_other_dates_of_the_field_say(tmp_path: Path) -> None:
    values = [f"2024-03-{day:02}" for day in range(1, 13)] + ["03/04/2024", "25/04/2024"]
    _, kept = uneven(tmp_path, _tickets("day", values), REPLY, fix=["dates"])
    assert [json.loads(answer)["day"] for answer in kept][-2:] == ["2024-04-03", "2024-04-25"]


def test_spellings_of_a_value_become_the_commonest(tmp_path: Path) -> None:
    values = ["Berlin", "Lyon", "Graz"] * 4 + ["BERLIN", "berlin "]
    found, _ = uneven(tmp_path, _tickets("city", values), REPLY)
    assert [(one.code, one.where, one.exceptions) for one in found if one.code == "letter_case"] == [
        ("letter_case", "city", 2)
    ]
    _, kept = uneven(tmp_path, _tickets("city", values), REPLY, fix=["letter_case"])
    assert [json.loads(answer)["city"] for answer in kept] == ["Berlin", "Lyon", "Graz"] * 4 + ["Berlin", "Berlin"]


def test_what_a_survey_taught_reaches_other_processes_whole(tmp_path: Path) -> None:
    given_rows = [*usual(), row("Ich möchte bitte mein Geld zurück, das Zelt kam ohne Heringe an.", "We pay the", 99)]
    chosen = CleanSettings(fix=["quotes", "letter_case"])
    steps = RowSteps(TEXT, chosen)
    steps.survey(given_rows)
    there = RowSteps(TEXT, chosen, 0, pickle.loads(pickle.dumps(steps.learned)))
    assert [there.check(example) for example in given_rows] == [steps.check(example) for example in given_rows]
    assert [flag.code for flag in there.check(given_rows[-1]).flags] == ["language"]
