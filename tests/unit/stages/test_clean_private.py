"""Private values in a row: masked, faked, taken out or kept, as the settings say; the ledger tells it without them."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.unit.stages.clean_project import LABELS, TEXT, TICKET, Made, cleaned, filler, row
from tunesmith.errors import InputError
from tunesmith.example import Example, Message, Source, make_example
from tunesmith.example_parquet import read_rows
from tunesmith.products import CleanSet, GoalSheet
from tunesmith.stages.clean.settings import CleanSettings

SOUND = filler()
TICKETS = filler(('{"category": "billing", "reply": "Done."}',))


def kept(made: Made, example: Example) -> Example:
    return next(one for one in made.kept if one.id == example.id)


def private(made: Made) -> dict[str, tuple[Example, str, tuple[str, ...]]]:
    rows = CleanSet(made.folder, made.counts).private()
    return {one.example.id: (one.example, one.state, one.found) for one in rows}


def test_a_value_is_the_same_placeholder_in_question_answer_and_rejected_answer(tmp_path: Path) -> None:
    example = row("I am anna@example.com", "Dear anna@example.com", rejected="Hey anna@example.com, ben@example.com?")
    made = cleaned(tmp_path, [*SOUND, example], TEXT)
    after = kept(made, example)
    assert (after.input, after.answer) == ("I am [EMAIL_1]", "Dear [EMAIL_1]")
    assert after.rejected == "Hey [EMAIL_1], [EMAIL_2]?"
    assert after.content_id != example.content_id


def test_the_ledger_tells_kind_and_place_and_the_row_as_it_was_is_for_its_owner_alone(tmp_path: Path) -> None:
    example = row("I am anna@example.com", "Call +49 170 1234567")
    made = cleaned(tmp_path, [*SOUND, example], TEXT)
    lines = [(line.state, line.code, line.evidence, line.before) for line in made.ledger]
    assert lines == [
        ("changed", "private_email", "e-mail address in message 1 (user), character 6", None),
        ("changed", "private_phone", "phone number in the answer, character 6", None),
    ]
    assert made.counts["by_code"] == {"private_email": 1, "private_phone": 1}
    assert private(made)[example.id][:2] == (example, "changed")
    assert stat.S_IMODE((made.folder / "private.parquet").stat().st_mode) == 0o600


def test_a_label_stays_and_an_answer_that_is_none_is_quoted_masked(tmp_path: Path) -> None:
    goal = GoalSheet("text", "label", "You sort.", labels=("it@example.com", "hr@example.com"))
    sound = filler(("it@example.com", "hr@example.com"))
    right, wrong = row("printer", "it@example.com", 1), row("holiday", "anna@example.com", 2)
    made = cleaned(tmp_path, [*sound, right, wrong], goal)
    assert made.answers(right, wrong) == ["it@example.com", None]
    assert '"[EMAIL_1]" is not one of the 2 labels' in made.line(wrong).evidence


def test_a_json_answer_stays_json_and_its_choices_stay(tmp_path: Path) -> None:
    example = row("x", '{"category": "billing", "reply": "Wrote to \\u0061nna@example.com, 12 Main Street"}')
    made = cleaned(tmp_path, [*TICKETS, example], TICKET)
    answer = json.loads(kept(made, example).answer or "")
    assert answer == {"category": "billing", "reply": "Wrote to [EMAIL_1], [STREET_ADDRESS_1]"}


def test_a_schema_that_a_placeholder_breaks_sets_the_row_aside_with_advice_and_a_fake_fits(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"mail": {"type": "string", "pattern": "^[^@]+@[^@]+$"}}}
    goal = GoalSheet("text", "json", "You read.", schema=schema)
    sound, example = filler(('{"mail": "@"}', '{"mail": "a@b"}')), row("x", '{"mail": "anna@example.com"}')
    sound = filler(('{"mail": "a@b"}',))
    made = cleaned(tmp_path, [*sound, example], goal)
    assert "see clean.private" in made.line(example).evidence
    made = cleaned(tmp_path, [*sound, example], goal, private={"email": "fake"})
    assert json.loads(kept(made, example).answer or "")["mail"].endswith("@example.com")


def test_rows_that_are_the_same_but_for_their_private_values_are_merged_and_can_come_back(tmp_path: Path) -> None:
    one, other = row("I am anna@example.com", "Hi", 1), row("I am ben@example.com", "Hi", 2)
    made = cleaned(tmp_path, [*SOUND, one, other], TEXT)
    assert made.line(other).state == "merged"
    assert [example.input for example in made.read("merged")] == ["I am [EMAIL_1]"]
    assert private(made)[other.id][:2] == (other, "merged")


def test_a_kind_can_take_rows_out_and_a_restored_row_comes_back_masked(tmp_path: Path) -> None:
    example = row("my card is 4111 1111 1111 1111, mail anna@example.com", "ok")
    made = cleaned(tmp_path, [*SOUND, example], TEXT, private={"card": "set_aside"})
    assert made.line(example).code == "private_card"
    assert [one.input for one in made.read("set_aside")] == ["my card is [CARD_1], mail [EMAIL_1]"]
    assert private(made)[example.id][:2] == (example, "set_aside")
    made = cleaned(tmp_path, [*SOUND, example], TEXT, {example.id: "keep"}, private={"card": "set_aside"})
    assert kept(made, example).input == "my card is [CARD_1], mail [EMAIL_1]"


def test_what_is_to_be_kept_stays_as_it_is(tmp_path: Path) -> None:
    example = row("I am anna@example.com, +49 170 1234567", "ok")
    made = cleaned(tmp_path, [*SOUND, example], TEXT, private={"phone": "keep"})
    assert kept(made, example).input == "I am [EMAIL_1], +49 170 1234567"
    made = cleaned(tmp_path, [*SOUND, example], TEXT, private="keep")
    assert kept(made, example) == example
    assert private(made) == {}


def test_fakes_are_the_same_in_all_rows(tmp_path: Path) -> None:
    one, other = row("I am anna@example.com", "Hi", 1), row("anna@example.com here", "Ho", 2)
    made = cleaned(tmp_path, [*SOUND, one, other], TEXT, private="fake")
    first, second = kept(made, one).input, kept(made, other).input
    assert first.removeprefix("I am ") == second.removesuffix(" here") != "anna@example.com"


@pytest.mark.parametrize(
    "messages",
    [
        [Message.of("user", "anna@example.com")],
        [Message.of("assistant", ""), Message.of("user", "anna@example.com")],
        [Message.of("user", "anna@example.com " + "x" * 60), Message.of("assistant", "refund")],
        [Message.of("user", "anna@example.com"), Message.of("assistant", "")],
        [Message.of("user", "anna@example.com"), Message.of("assistant", "nothing of these")],
    ],
)
def test_rows_set_aside_for_any_reason_are_masked_in_the_open_files(tmp_path: Path, messages: list[Message]) -> None:
    example = make_example(messages, Source("rows.csv", 1))
    made = cleaned(tmp_path, [*SOUND, example], LABELS, max_characters=50)
    assert made.line(example).state == "set_aside"
    for name in ("examples", "merged", "set_aside", "ledger"):
        assert "anna" not in str(list(read_rows(made.folder / f"{name}.parquet")))
    assert private(made)[example.id][0] == example


def test_rows_that_are_all_private_data_add_up(tmp_path: Path) -> None:
    examples = [row(f"4111 1111 1111 1111 anna{i}@example.com", f"ben{i}@example.com", i) for i in range(30)]
    made = cleaned(tmp_path, [*SOUND, *examples], TEXT)
    assert (made.counts["merged"], made.counts["kept"]) == (29, 13)
    assert len(private(made)) == 30


def test_an_unknown_word_or_region_is_told() -> None:
    for wrong in ({"email": "hide"}, {"mail": "mask"}, "hide", {"regions": ["XX"]}):
        bad: Any = wrong
        with pytest.raises(ValueError):
            CleanSettings(private=bad)


def test_the_error_of_a_stage_that_fails_quotes_nothing_private(tmp_path: Path) -> None:
    with pytest.raises(InputError) as raised:
        cleaned(tmp_path, [row(f"x{i}", f"anna{i}@example.com") for i in range(12)], LABELS)
    assert raised.value.code == "too_few_examples"
    assert "anna" not in str(raised.value)


NAMED = row("Hi, I am Anna Schmidt and the kettle leaks.", "Dear Ms Schmidt, Fernway Support is sorry.")


def test_names_are_left_alone_until_they_are_asked_for(tmp_path: Path) -> None:
    assert cleaned(tmp_path, [*SOUND, NAMED], TEXT).answers(NAMED) == [NAMED.answer]
    assert CleanSettings(private="mask").private.names == frozenset()


def test_a_person_is_the_same_placeholder_in_question_and_answer(tmp_path: Path) -> None:
    private = {"person": "mask", "keep_names": ["Fernway"]}
    made = cleaned(tmp_path, [*SOUND, NAMED], TEXT, private=private)
    after = kept(made, NAMED)
    assert after.input == "Hi, I am [PERSON_1] and the kettle leaks."
    assert after.answer == "Dear Ms [PERSON_1], Fernway Support is sorry."
    assert made.line(NAMED).evidence == "name of a person in message 1 (user), character 10, the answer, character 9"
    again = cleaned(tmp_path, [*SOUND, NAMED], TEXT, private=private)
    assert [one.id for one in again.kept] == [one.id for one in made.kept]
    assert kept(again, NAMED) == after


def test_a_row_with_a_name_is_taken_out_or_gets_another_name(tmp_path: Path) -> None:
    out = cleaned(tmp_path, [*SOUND, NAMED], TEXT, private={"person": "set_aside"})
    assert (out.answers(NAMED), out.line(NAMED).code) == ([None], "private_person")
    faked = kept(cleaned(tmp_path, [*SOUND, NAMED], TEXT, private={"person": "fake"}), NAMED)
    family = faked.input.split()[4]
    assert "Schmidt" not in faked.input
    assert (faked.answer or "").startswith(f"Dear Ms {family}, ")


def test_a_label_and_a_choice_are_no_names(tmp_path: Path) -> None:
    goal = GoalSheet("text", "label", "You sort.", labels=("Anna Schmidt", "card lost"))
    example = row("please ask Anna Schmidt for it", "Anna Schmidt")
    made = cleaned(tmp_path, [*filler(("Anna Schmidt", "card lost")), example], goal, private={"person": "mask"})
    assert kept(made, example).input == example.input


def test_names_without_the_extra_are_refused_before_any_row_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tunesmith.privacy.name_finder.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"clean\.private\.place"):
        cleaned(tmp_path, [*SOUND, NAMED], TEXT, private={"place": "mask"})
