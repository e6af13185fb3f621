"""Each step of `clean`: what it mends, what it takes out, and what it leaves alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from clean_project import LABELS, TEXT, TICKET, cleaned, filler, row, rows

from tunesmith.example import Example, Message, Part, Source, make_example, messages_from_json
from tunesmith.products import GoalSheet

SOUND = filler()
TICKETS = filler([json.dumps({"category": "billing", "reply": "Done."})])


def talk(*turns: tuple[str, str]) -> Example:
    return make_example([Message.of(role, text) for role, text in turns], Source("talk.jsonl", 7))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("turns", "told"),
    [
        ([("user", "hi")], "the last message is the user's"),
        ([("system", "be kind"), ("assistant", "hi")], "no user message"),
        ([("user", "hi"), ("robot", "hello"), ("assistant", "hi")], "'robot'"),
        ([], "no user message"),
    ],
)
def test_a_row_that_is_no_conversation_is_set_aside_even_when_the_user_wants_it(
    tmp_path: Path, turns: list[tuple[str, str]], told: str
) -> None:
    broken = talk(*turns)
    made = cleaned(tmp_path, [*SOUND, broken], TEXT, decisions={broken.id: "keep"}, drop=[])
    line = made.line(broken)
    assert (line.state, line.code) == ("set_aside", "structure")
    assert told in line.evidence
    assert made.read("set_aside") == [broken]


@pytest.mark.parametrize("blank", ["", "  \t\n", "\u200b\ufeff", "\u00a0\u2003", "\x00\x1f"])
def test_a_row_with_an_empty_side_is_set_aside(tmp_path: Path, blank: str) -> None:
    no_answer, no_input = rows(("a question", blank), (blank, "an answer"))
    made = cleaned(tmp_path, [*SOUND, no_answer, no_input], TEXT)
    assert made.line(no_answer).evidence == "the answer is empty"
    assert made.line(no_input).evidence == "the input is empty"
    assert made.counts["by_code"] == {"empty": 2}


def test_a_picture_is_an_input_though_it_has_no_text(tmp_path: Path) -> None:
    pictured = make_example(
        [Message("user", (Part("image", blob="ab" * 32),)), Message.of("assistant", "a cat")], Source("x.jsonl", 1)
    )
    assert cleaned(tmp_path, [*SOUND, pictured], TEXT).answers(pictured) == ["a cat"]


def test_a_json_answer_of_empty_columns_is_empty_and_one_empty_required_field_is_off_goal(tmp_path: Path) -> None:
    nothing, half = rows(
        ("first", '{"category": "", "reply": null}'), ("second", '{"category": "billing", "reply": "  "}')
    )
    made = cleaned(tmp_path, [*TICKETS, nothing, half], TICKET)
    assert made.line(nothing).code == "empty"
    assert made.line(half).code == "off_goal"
    assert "reply" in made.line(half).evidence


def test_a_row_with_an_over_long_message_is_set_aside_whole(tmp_path: Path) -> None:
    fits, long = rows(("a" * 50, "fine"), ("b" * 51, "fine"))
    made = cleaned(tmp_path, [*SOUND, fits, long], TEXT, max_characters=50)
    assert made.answers(fits, long) == ["fine", None]
    assert made.line(long).code == "too_long"
    assert "51" in made.line(long).evidence
    assert made.read("set_aside") == [long]


@pytest.mark.parametrize("written", ["Refund", " refund\n", "REFUND", "ｒｅｆｕｎｄ"])
def test_a_label_in_another_spelling_becomes_the_goals_label(tmp_path: Path, written: str) -> None:
    given = row("money back please", written)
    made = cleaned(tmp_path, [*SOUND, given])
    assert made.answers(given) == ["refund"]
    line = made.line(given)
    assert (line.state, line.code) == ("changed", "label_spelling")
    assert line.before is not None
    assert messages_from_json(line.before) == given.messages
    assert line.evidence.endswith('→ "refund"')
    assert line.evidence != '"refund" → "refund"'
    assert made.counts["changed"] == 1


@pytest.mark.parametrize("written", ["card_lost", "Card-Lost", "card  lost", "CARD_LOST "])
def test_space_hyphen_and_underscore_are_alike_in_labels(tmp_path: Path, written: str) -> None:
    given = row("where is my card", written)
    assert cleaned(tmp_path, [*SOUND, given]).answers(given) == ["card lost"]


def test_a_mended_row_has_the_content_id_of_what_it_says_now(tmp_path: Path) -> None:
    given = row("money back please", "Refund")
    kept = cleaned(tmp_path, [*SOUND, given]).kept[-1]
    assert kept.id == given.id
    assert kept.content_id == row("money back please", "refund").content_id


def test_a_spelling_that_fits_two_labels_is_not_mended(tmp_path: Path) -> None:
    goal = GoalSheet("text", "label", "", labels=("Go", "go", "stop"))
    upper, lower, unclear = rows(("one", "Go"), ("two", "go"), ("three", "GO"))
    made = cleaned(tmp_path, [*filler(("stop", "go")), upper, lower, unclear], goal)
    assert made.answers(upper, lower, unclear) == ["Go", "go", None]


def test_labels_that_differ_by_case_alone_are_different_answers(tmp_path: Path) -> None:
    goal = GoalSheet("text", "label", "", labels=("Go", "go", "stop"))
    upper, lower = rows(("the same", "Go"), ("the same", "go"))
    assert cleaned(tmp_path, [*filler(("stop", "go")), upper, lower], goal).counts["by_code"] == {"conflict": 2}


def test_an_unknown_label_is_set_aside_with_the_nearest_known_one(tmp_path: Path) -> None:
    given = row("money back please", "refunds!")
    line = cleaned(tmp_path, [*SOUND, given]).line(given)
    assert line.code == "off_goal"
    assert '"refunds!"' in line.evidence
    assert '"refund"' in line.evidence


def test_a_label_like_no_other_is_set_aside_without_a_guess(tmp_path: Path) -> None:
    given = row("what now", "xyz")
    assert cleaned(tmp_path, [*SOUND, given]).line(given).evidence == '"xyz" is not one of the 3 labels'


def test_enum_values_are_mended_and_the_layout_becomes_one(tmp_path: Path) -> None:
    spelled, laid_out = rows(
        ("one", '{"category": "Late_Delivery", "reply": "Soon."}'),
        ("two", '{ "reply":"Grüße \\u00e9",\n"category":"billing" }'),
    )
    made = cleaned(tmp_path, [*TICKETS, spelled, laid_out], TICKET)
    assert made.answers(spelled, laid_out) == [
        '{"category": "late delivery", "reply": "Soon."}',
        '{"category": "billing", "reply": "Grüße é"}',
    ]
    assert made.line(spelled).code == "label_spelling"
    assert "category" in made.line(spelled).evidence
    assert made.line(laid_out).code == "json_layout"


def test_json_in_the_one_layout_is_left_untouched(tmp_path: Path) -> None:
    made = cleaned(tmp_path, TICKETS, TICKET)
    assert made.counts["changed"] == 0
    assert made.kept == TICKETS


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("billing, I think", "not JSON"),
        ('{"category": "billing"', "not JSON"),
        ('{"category": "billing", "reply": NaN}', "NaN"),
        ('{"category": "billing", "reply": 1e999}', "too large"),
        ('{"category": "weather", "reply": "Sunny."}', "$.category"),
        ('{"category": "billing"}', "'reply' is a required property"),
        ('["billing"]', "is not of type 'object'"),
        ("[" * 100_000, "nested too deeply"),
        ('{"category": "billing", "reply": ' + "9" * 5000 + "}", "not JSON"),
    ],
)
def test_json_that_does_not_fit_the_goal_is_set_aside_with_the_validators_words(
    tmp_path: Path, answer: str, told: str
) -> None:
    given = row("a ticket", answer)
    made = cleaned(tmp_path, [*TICKETS, given], TICKET, max_characters=200_000)
    line = made.line(given)
    assert (line.state, line.code) == ("set_aside", "off_goal")
    assert told in line.evidence
    assert len(line.evidence) < 400


def test_a_lone_surrogate_passes_through_text_and_json(tmp_path: Path) -> None:
    broken = row("half \ud83d a character", "the answer \udc00 too")
    assert cleaned(tmp_path, [*SOUND, broken], TEXT).answers(broken) == ["the answer \udc00 too"]
    escaped = row("a ticket", '{"reply": "\\ud83d", "category": "billing"}')
    made = cleaned(tmp_path, [*TICKETS, escaped], TICKET)
    assert made.answers(escaped) == ['{"category": "billing", "reply": "\\ud83d"}']


def test_evidence_about_a_lone_surrogate_can_be_written(tmp_path: Path) -> None:
    wrong = row("x", "\ud83d not a label")
    assert cleaned(tmp_path, [*SOUND, wrong]).line(wrong).code == "off_goal"


@pytest.mark.parametrize("code", ["empty", "too_long", "duplicate", "conflict", "off_goal"])
def test_a_drop_step_left_out_of_the_settings_takes_nothing_out(tmp_path: Path, code: str) -> None:
    messy = {
        "empty": rows(("nothing to say", "")),
        "too_long": rows(("b" * 300, "refund")),
        "duplicate": rows(("twice", "refund"), ("twice", "refund")),
        "conflict": rows(("both", "refund"), ("both", "top_up")),
        "off_goal": rows(("weather?", "sunny")),
    }[code]
    everything = ["empty", "too_long", "duplicate", "conflict", "off_goal"]
    # an empty answer is no label either, so that step alone would still take it out
    others = [other for other in everything if other != code and (code, other) != ("empty", "off_goal")]
    assert cleaned(tmp_path, [*SOUND, *messy], drop=everything, max_characters=200).counts["kept"] < 12 + len(messy)
    assert cleaned(tmp_path, [*SOUND, *messy], drop=others, max_characters=200).counts["kept"] == 12 + len(messy)


def test_without_fixes_answers_stay_as_they_came(tmp_path: Path) -> None:
    spelled = row("money back", " Refund")
    assert cleaned(tmp_path, [*SOUND, spelled], fix=[], drop=[]).answers(spelled) == [" Refund"]
    laid_out = row("a ticket", '{"reply":"x","category":"billing"}')
    assert cleaned(tmp_path, [*TICKETS, laid_out], TICKET, fix=[]).answers(laid_out) == [laid_out.answer]


def test_a_schema_that_points_outside_itself_is_told_and_nothing_is_fetched(tmp_path: Path) -> None:
    from tunesmith.errors import InputError

    goal = GoalSheet("text", "json", "", schema={"properties": {"a": {"$ref": "https://example.invalid/a.json"}}})
    with pytest.raises(InputError) as failure:
        cleaned(tmp_path, filler(['{"a": 1}']), goal)
    assert failure.value.code == "bad_schema"


def test_labels_are_not_asked_for_when_the_goal_has_none(tmp_path: Path) -> None:
    goal = GoalSheet("text", "label", "")
    assert cleaned(tmp_path, filler(("yes", "no")), goal).counts["kept"] == 12
    assert LABELS.labels
