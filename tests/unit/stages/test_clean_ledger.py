"""The ledger of `clean`: duplicates, conflicts, decisions, and that nothing is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from clean_project import LABELS, TEXT, TICKET, Made, cleaned, filler, row, rows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tunesmith.errors import Cancelled, InputError, TunesmithError
from tunesmith.events import Event
from tunesmith.example import Example, Message, Source, make_example
from tunesmith.products import Collection, GoalSheet
from tunesmith.stages.clean import run as clean
from tunesmith.stages.clean.settings import CleanSettings
from tunesmith.stages.context import Context

SOUND = filler()
TICKETS = filler([json.dumps({"category": "billing", "reply": "Done."})])
ALL_STATES = {"kept", "flagged", "changed", "merged", "set_aside"}


def test_equal_rows_become_the_first_one(tmp_path: Path) -> None:
    first, second, third = rows(("My card!", "refund"), ("  my CARD! ", "refund"), ("My card!", "Refund"))
    made = cleaned(tmp_path, [*SOUND, first, second, third])
    assert made.answers(first, second, third) == ["refund", None, None]
    for line in (made.line(second), made.line(third)):
        assert (line.state, line.code, line.into) == ("merged", "duplicate", first.id)
        assert "rows.csv:2" in line.evidence
    assert made.read("merged") == [second, third]
    assert made.read("set_aside") == []


def test_of_equal_rows_the_one_in_the_given_test_part_is_kept(tmp_path: Path) -> None:
    trained = row("the same", "refund", 1, part="train")
    plain = row("the same", "refund", 2)
    tested = row("the same", "refund", 3, part="test")
    validated = row("the same", "refund", 4, part="validation")
    made = cleaned(tmp_path, [*SOUND, trained, plain, tested, validated])
    assert [example.id for example in made.kept[12:]] == [tested.id]
    assert {made.line(other).into for other in (trained, plain, validated)} == {tested.id}


def test_of_equal_rows_the_heavier_one_is_kept(tmp_path: Path) -> None:
    mute, loud = row("the same", "refund", 1, weight=0.0), row("the same", "refund", 2, weight=2.0)
    assert cleaned(tmp_path, [*SOUND, mute, loud]).kept[12:] == [loud]


def test_rows_with_another_system_message_or_rejected_answer_are_no_duplicates(tmp_path: Path) -> None:
    def spoken(system: str, at: int) -> Example:
        turns = [Message.of("system", system), Message.of("user", "hello"), Message.of("assistant", "hi")]
        return make_example(turns, Source("rows.csv", at))

    different = [
        spoken("be kind", 1),
        spoken("be brief", 2),
        row("good day", "hi", 3),
        row("good day", "hi", 4, rejected="no"),
    ]
    assert cleaned(tmp_path, [*SOUND, *different], TEXT).counts["merged"] == 0


def test_the_same_input_with_two_labels_is_set_aside_with_both_places(tmp_path: Path) -> None:
    one, other, again = rows(("Card gone", "refund"), ("card gone", "card lost"), ("card  gone", "refund"))
    made = cleaned(tmp_path, [*SOUND, one, other, again])
    assert made.line(one).state == made.line(other).state == "set_aside"
    assert made.line(one).code == "conflict"
    assert '"card lost"' in made.line(one).evidence
    assert other.id in made.line(one).evidence
    assert "rows.csv:3" in made.line(one).evidence
    assert made.line(again).into == one.id
    assert made.read("set_aside") == [one, other]


def test_a_conflict_of_many_answers_names_the_first_few_and_counts_the_rest(tmp_path: Path) -> None:
    goal = GoalSheet("text", "label", "", labels=tuple(f"l{i}" for i in range(8)))
    sides = rows(*((("the same"), f"l{i}") for i in range(8)))
    evidence = cleaned(tmp_path, [*filler(goal.labels), *sides], goal).line(sides[-1]).evidence
    assert all(side.id in evidence for side in sides[:3])
    assert sides[3].id not in evidence
    assert "4 more" in evidence


def test_the_same_input_with_two_texts_is_kept_and_flagged(tmp_path: Path) -> None:
    one, other = rows(("hello", "Good day."), ("hello", "Hi there."))
    made = cleaned(tmp_path, [*SOUND, one, other], TEXT)
    assert made.answers(one, other) == ["Good day.", "Hi there."]
    assert [(made.line(side).state, made.line(side).code) for side in (one, other)] == [("flagged", "conflict")] * 2
    assert made.counts["set_aside"] == 0


def test_json_answers_that_differ_in_layout_alone_agree(tmp_path: Path) -> None:
    one, other = rows(
        ("a ticket", '{"category": "billing", "reply": "Done."}'),
        ("a ticket", '{"reply":"Done.","category":"billing"}'),
    )
    for fix in ([], ["json_layout"]):
        made = cleaned(tmp_path, [*TICKETS, one, other], TICKET, fix=fix)
        assert made.counts["by_code"] == {"duplicate": 1}


@pytest.mark.parametrize(
    ("messy", "code"),
    [
        (("no answer", ""), "empty"),
        (("b" * 300, "refund"), "too_long"),
        (("weather?", "sunny"), "off_goal"),
        (("abc", "refund"), "duplicate"),
        (("abc", "top_up"), "conflict"),
    ],
)
def test_a_row_that_the_user_wants_kept_comes_back(tmp_path: Path, messy: tuple[str, str], code: str) -> None:
    before, wanted = row("abc", "refund", 1), row(*messy, at=2)
    without = cleaned(tmp_path, [*SOUND, before, wanted], max_characters=200)
    assert without.line(wanted).code == code
    restored = cleaned(tmp_path, [*SOUND, before, wanted], decisions={wanted.id: "keep"}, max_characters=200)
    assert restored.answers(wanted) == [wanted.answer]
    line = restored.line(wanted)
    assert (line.state, line.code) == ("kept", "restored")
    assert code in line.evidence


def test_restoring_one_side_of_a_conflict_keeps_that_one_alone(tmp_path: Path) -> None:
    one, other = rows(("abc", "refund"), ("abc", "top_up"))
    made = cleaned(tmp_path, [*SOUND, one, other], decisions={other.id: "keep"})
    assert made.answers(one, other) == [None, "top_up"]
    assert made.line(one).code == "conflict"


def test_a_restored_row_is_still_mended(tmp_path: Path) -> None:
    one, other = rows(("abc", "refund"), ("abc", "Top Up"))
    made = cleaned(tmp_path, [*SOUND, one, other], decisions={other.id: "keep"})
    assert made.answers(other) == ["top_up"]
    assert {(line.state, line.code) for line in made.ledger if line.id == other.id} == {
        ("changed", "label_spelling"),
        ("kept", "restored"),
    }


def test_a_decision_about_a_row_that_is_gone_is_noted(tmp_path: Path) -> None:
    made = cleaned(tmp_path, SOUND, decisions={"0123456789abcdef": "keep"})
    assert any("no longer in the data" in event.data["text"] for event in made.events if event.kind == "note")


def test_a_sound_set_leaves_no_line(tmp_path: Path) -> None:
    made = cleaned(tmp_path, SOUND)
    assert made.counts == {"in": 12, "kept": 12, "changed": 0, "merged": 0, "set_aside": 0, "by_code": {}}
    assert made.ledger == []
    assert made.kept == SOUND


def test_a_ledger_that_does_not_add_up_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TunesmithError) as failure:
        cleaned(tmp_path, SOUND, collected=13)
    assert failure.value.code == "ledger_broken"
    assert "13" in failure.value.what


def test_fewer_than_ten_rows_are_too_few_and_the_reasons_are_counted(tmp_path: Path) -> None:
    with pytest.raises(InputError) as failure:
        cleaned(tmp_path, [*SOUND[:9], *rows(("a question", ""), ("weather?", "sunny"), ("snow?", "white"))])
    assert failure.value.code == "too_few_examples"
    assert "9 of 12" in failure.value.what
    assert "empty: 1, off_goal: 2" in failure.value.what
    assert failure.value.exit_code == 2


@pytest.mark.parametrize("number", [0, 3])
def test_hardly_any_row_is_too_few(tmp_path: Path, number: int) -> None:
    with pytest.raises(InputError) as failure:
        cleaned(tmp_path, SOUND[:number])
    assert failure.value.code == "too_few_examples"


def test_one_label_is_nothing_to_learn(tmp_path: Path) -> None:
    with pytest.raises(InputError) as failure:
        cleaned(tmp_path, [*filler(("refund",)), row("weather?", "sunny")])
    assert failure.value.code == "one_label"
    assert '"refund"' in failure.value.what


def test_a_stop_is_heard_while_cleaning(tmp_path: Path) -> None:
    cleaned(tmp_path, SOUND)
    source = next(tmp_path.glob("collect-*"))
    context = Context("clean", tmp_path, tmp_path, tmp_path, stopping=lambda: True)
    with pytest.raises(Cancelled):
        clean.run(
            {"collect": Collection(source, (), {"examples": 12}), "goal": LABELS},
            CleanSettings.model_validate({}),
            context,
        )


def test_progress_ends_with_all_rows(tmp_path: Path) -> None:
    last = [event for event in cleaned(tmp_path, SOUND).events if event.kind == "progress"][-1]
    assert (last.data["done"], last.data["total"], last.data["unit"]) == (12, 12, "rows")


# Few values each, so that duplicates, conflicts and every fault turn up; and text from every plane.
ANSWERS = {
    "label": st.sampled_from(["refund", "Refund ", "card-lost", "card lost", "top_up", "sunny", "", " "]),
    "json": st.sampled_from(
        [
            '{"category": "billing", "reply": "Done."}',
            '{"reply":"Done.","category":"Billing"}',
            '{"category": "late delivery", "reply": "Soon."}',
            '{"category": "late delivery", "reply": ""}',
            '{"category": "", "reply": null}',
            '{"category": "none"}',
            "{broken",
            "[1, 2]",
            "7",
        ]
    ),
    "text": st.sampled_from(["Yes.", "yes.", "No.", "", "\u200b"]) | st.text(max_size=5),
}
INPUTS = st.sampled_from(["abc", "ABC ", "a b c", "", "x" * 60]) | st.text(st.characters(codec=None), max_size=5)
GOALS = {"label": LABELS, "json": TICKET, "text": TEXT}
SETTLED = {"label": SOUND, "json": TICKETS, "text": SOUND}


@st.composite
def mixtures(draw: st.DrawFn) -> tuple[GoalSheet, list[Example], dict[str, str], dict[str, Any]]:
    output = draw(st.sampled_from(["label", "json", "text"]))
    answers = ANSWERS[output]
    examples = []
    for at in range(draw(st.integers(0, 25))):
        turns = [Message.of("user", draw(INPUTS)), Message.of("assistant", draw(answers))]
        if draw(st.integers(0, 9)) == 0:
            turns.pop(draw(st.integers(0, 1)))
        part = draw(st.sampled_from([None, None, None, "train", "test"]))
        weight = draw(st.sampled_from([1.0, 1.0, 0.0]))
        examples.append(make_example(turns, Source("mixed.jsonl", at), part=part, weight=weight))  # type: ignore[arg-type]
    decisions = {example.id: "keep" for example in examples if draw(st.integers(0, 7)) == 0}
    codes = ["empty", "too_long", "duplicate", "conflict", "off_goal"]
    drop = draw(st.sampled_from([codes, codes, ["duplicate"], ["conflict", "off_goal"], []]))
    return GOALS[output], [*SETTLED[output], *examples], decisions, {"drop": drop, "max_characters": 50}


RELAXED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(mixtures())
@RELAXED
def test_every_row_is_kept_merged_or_set_aside_exactly_once(
    tmp_path: Path, mixture: tuple[GoalSheet, list[Example], dict[str, str], dict[str, Any]]
) -> None:
    goal, examples, decisions, chosen = mixture
    made = cleaned(tmp_path, examples, goal, decisions, **chosen)
    kept, merged, aside = made.kept, made.read("merged"), made.read("set_aside")
    assert sorted(e.id for e in (*kept, *merged, *aside)) == sorted(e.id for e in examples)
    by_id = {example.id: example for example in examples}
    assert all(by_id[e.id] == e for e in (*merged, *aside))  # as they came in
    _check_lines(made, kept, merged, aside)
    changed = {e.id for e in kept if by_id[e.id] != e}
    assert made.counts["changed"] == len(changed)
    assert changed == {line.id for line in made.ledger if line.state == "changed"}


def _check_lines(made: Made, kept: list[Example], merged: list[Example], aside: list[Example]) -> None:
    by_state: dict[str, list[str]] = {state: [] for state in ALL_STATES}
    for line in made.ledger:
        by_state[line.state].append(line.id)
        assert line.code
        assert line.evidence
    assert by_state["merged"] == [e.id for e in merged]
    assert by_state["set_aside"] == [e.id for e in aside]
    assert set(by_state["kept"]) | set(by_state["changed"]) <= {e.id for e in kept}
    assert sum(made.counts["by_code"].values()) == len(made.ledger)
    everyone = {e.id for e in (*kept, *merged, *aside)}
    assert all(line.into in everyone for line in made.ledger if line.state == "merged")


@given(mixtures())
@RELAXED
def test_cleaning_a_clean_set_changes_nothing(
    tmp_path: Path, mixture: tuple[GoalSheet, list[Example], dict[str, str], dict[str, Any]]
) -> None:
    goal, examples, _, chosen = mixture
    once = cleaned(tmp_path, examples, goal, **chosen)
    twice = cleaned(tmp_path, once.kept, goal, **chosen)
    assert twice.kept == once.kept
    assert (twice.counts["changed"], twice.counts["merged"], twice.counts["set_aside"]) == (0, 0, 0)


@given(mixtures())
@RELAXED
def test_the_same_collection_makes_the_same_bytes(
    tmp_path: Path, mixture: tuple[GoalSheet, list[Example], dict[str, str], dict[str, Any]]
) -> None:
    goal, examples, decisions, chosen = mixture
    one, other = (cleaned(tmp_path, examples, goal, decisions, **chosen) for _ in range(2))
    names = sorted(path.name for path in one.folder.iterdir())
    tables = ["examples", "ledger", "merged", "private", "set_aside"]
    assert names == sorted(["coverage.json", "ledger.json", "survey.json", *(f"{name}.parquet" for name in tables)])
    for name in names:
        assert (one.folder / name).read_bytes() == (other.folder / name).read_bytes()


def test_rows_beyond_one_group_of_the_file_stay_in_order(tmp_path: Path) -> None:
    many = [
        row(f"question {i}", ("Refund", "refund", "sunny")[i % 3] if i % 50 == 0 else "top_up", i)
        for i in range(20_000)
    ]
    made = cleaned(tmp_path, [*many, *SOUND])
    sunny = sum(example.answer == "sunny" for example in many)
    upper = sum(example.answer == "Refund" for example in many)
    assert min(sunny, upper) > 100
    assert made.counts["by_code"] == {"label_spelling": upper, "off_goal": sunny}
    assert [e.source.row for e in made.kept[:-12]] == [e.source.row for e in many if e.answer != "sunny"]
    events: list[Event] = [event for event in made.events if event.kind == "progress"]
    done = [event.data["done"] for event in events]
    assert done == sorted(done)
