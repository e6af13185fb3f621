"""Decisions of the user in `clean`: keep, drop, edit, and rules by reason. The ledger adds up with all of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.stages.clean_project import LABELS, TEXT, Made, cleaned, filler, row, rows
from tests.unit.stages.test_clean_ledger import ANSWERS, SETTLED, mixtures
from tunesmith.decisions import Decision, Decisions
from tunesmith.example import Example, Message, Source, make_example
from tunesmith.products import CleanSet, GoalSheet

SOUND = filler()


def lines_of(made: Made, example: Example) -> set[tuple[str, str]]:
    return {(line.state, line.code) for line in made.ledger if line.id == example.id}


def evidence_of(made: Made, example: Example) -> str:
    return " ".join(line.evidence for line in made.ledger if line.id == example.id)


def edit(answer: str) -> Decision:
    return Decision("edit", answer)


def test_a_dropped_row_is_set_aside_by_the_users_decision(tmp_path: Path) -> None:
    fine = row("my card is gone", "card lost")
    made = cleaned(tmp_path, [*SOUND, fine], decisions={fine.id: "drop"})
    assert made.answers(fine) == [None]
    assert lines_of(made, fine) == {("set_aside", "dropped")}
    assert made.read("set_aside") == [fine]
    assert evidence_of(made, fine) == "set aside by your decision"


@pytest.mark.parametrize(("messy", "code"), [(("no answer", ""), "empty"), (("weather?", "sunny"), "off_goal")])
def test_dropping_a_row_that_is_taken_out_anyway_leaves_its_reason(
    tmp_path: Path, messy: tuple[str, str], code: str
) -> None:
    faulty = row(*messy)
    made = cleaned(tmp_path, [*SOUND, faulty], decisions={faulty.id: "drop"})
    assert lines_of(made, faulty) == {("set_aside", code)}


def test_no_copy_comes_up_in_the_place_of_a_dropped_row(tmp_path: Path) -> None:
    first, copy = rows(("abc", "refund"), ("ABC ", "refund"))
    made = cleaned(tmp_path, [*SOUND, first, copy], decisions={first.id: "drop"})
    assert made.answers(first, copy) == [None, None]
    assert lines_of(made, copy) == {("merged", "duplicate")}


@pytest.mark.parametrize("goal", [LABELS, TEXT])
def test_one_pick_settles_a_conflict(tmp_path: Path, goal: GoalSheet) -> None:
    one, other, third = rows(("abc", "refund"), ("abc", "top_up"), ("abc", "card lost"))
    decisions = Decisions.of({other.id: "keep", one.id: "drop", third.id: "drop"})
    made = cleaned(tmp_path, [*SOUND, one, other, third], goal, decisions)
    assert made.answers(one, other, third) == [None, "top_up", None]
    assert made.counts["by_code"] == {"dropped": 2, "restored": 1}


def test_an_edited_row_has_its_new_answer_and_a_line_with_the_old_one(tmp_path: Path) -> None:
    wrong = row("abc", "refund")
    made = cleaned(tmp_path, [*SOUND, wrong], decisions=Decisions({wrong.id: edit("top_up")}))
    assert made.answers(wrong) == ["top_up"]
    [line] = [line for line in made.ledger if line.id == wrong.id]
    assert (line.state, line.code, line.evidence) == ("changed", "edited", '"refund" → "top_up"')
    assert json.loads(line.before or "")[-1] == {"role": "assistant", "content": "refund"}
    assert made.counts["changed"] == 1


def test_an_edited_answer_is_mended_like_any_other(tmp_path: Path) -> None:
    wrong = row("abc", "sunny")
    made = cleaned(tmp_path, [*SOUND, wrong], decisions=Decisions({wrong.id: edit("Card-Lost")}))
    assert made.answers(wrong) == ["card lost"]
    assert lines_of(made, wrong) == {("changed", "edited"), ("changed", "label_spelling")}


def test_an_edit_may_give_an_answer_to_a_row_without_one_and_merges_copies(tmp_path: Path) -> None:
    one, other = rows(("abc", "refund"), ("abc", ""))
    made = cleaned(tmp_path, [*SOUND, one, other], decisions=Decisions({other.id: edit("Refund")}))
    assert made.answers(one, other) == ["refund", None]
    assert lines_of(made, other) == {("merged", "duplicate")}


def test_an_edited_row_is_masked_and_its_placeholders_stay(tmp_path: Path) -> None:
    asked = row("I am anna@example.com, call me", "We call +49 30 901820117")
    made = cleaned(
        tmp_path, [*SOUND, asked], TEXT, Decisions({asked.id: edit("We write to [EMAIL_1], or to bob@example.com.")})
    )
    assert made.answers(asked) == ["We write to [EMAIL_1], or to [EMAIL_2]."]
    assert [one.example for one in CleanSet(made.folder, {}).private()] == [asked]
    told = (made.folder / "ledger.parquet").read_bytes() + str(made.ledger).encode()
    assert not any(value in told for value in (b"anna@", b"901820117", b"bob@"))


def test_a_rule_keeps_every_row_of_a_reason(tmp_path: Path) -> None:
    sunny, snowy = rows(("weather?", "sunny"), ("snow?", "white"))
    made = cleaned(tmp_path, [*SOUND, sunny, snowy], decisions=Decisions({}, {"off_goal": "keep"}))
    assert made.answers(sunny, snowy) == ["sunny", "white"]
    assert lines_of(made, sunny) == {("kept", "restored")}
    assert evidence_of(made, sunny).startswith("kept by your rule for off_goal; without that: off_goal, ")


def test_a_rule_drops_every_row_that_was_mended_for_a_reason(tmp_path: Path) -> None:
    messy = row("abc", "Refund ")
    made = cleaned(tmp_path, [*SOUND, messy], decisions=Decisions({}, {"label_spelling": "drop"}))
    assert made.answers(messy) == [None]
    assert made.read("set_aside") == [messy]
    assert evidence_of(made, messy) == "set aside by your rule for label_spelling"


def test_rules_for_duplicates_and_conflicts(tmp_path: Path) -> None:
    first, copy, other = rows(("abc", "refund"), ("abc", "refund"), ("abc", "top_up"))
    data = [*SOUND, first, copy, other]
    kept = cleaned(tmp_path, data, decisions=Decisions({}, {"duplicate": "keep", "conflict": "keep"}))
    assert kept.answers(first, copy, other) == ["refund", "refund", "top_up"]
    dropped = cleaned(tmp_path, data, TEXT, Decisions({}, {"conflict": "drop"}))
    assert dropped.answers(first, copy, other) == [None, None, None]
    assert lines_of(dropped, first) == lines_of(dropped, other) == {("set_aside", "dropped")}


def test_a_rows_own_decision_goes_before_a_rule(tmp_path: Path) -> None:
    sunny, snowy = rows(("weather?", "sunny"), ("snow?", "white"))
    decisions = Decisions({snowy.id: Decision("drop")}, {"off_goal": "keep"})
    made = cleaned(tmp_path, [*SOUND, sunny, snowy], decisions=decisions)
    assert made.answers(sunny, snowy) == ["sunny", None]


def test_a_row_without_structure_is_never_kept(tmp_path: Path) -> None:
    broken = make_example([Message.of("user", "hello")], Source("rows.csv", 1))
    made = cleaned(
        tmp_path, [*SOUND, broken], decisions=Decisions({broken.id: Decision("keep")}, {"structure": "keep"})
    )
    assert lines_of(made, broken) == {("set_aside", "structure")}


def test_the_sum_is_stored_and_held_against_the_files(tmp_path: Path) -> None:
    fine, copy = rows(("abc", "refund"), ("abc", "refund"))
    made = cleaned(tmp_path, [*SOUND, fine, copy])
    clean = CleanSet(made.folder, made.counts)
    assert clean.ledger_sum() == {"in": 14, "kept": 13, "changed": 0, "merged": 1, "set_aside": 0}
    told = json.loads((made.folder / "ledger.json").read_text())
    (made.folder / "ledger.json").write_text(json.dumps({**told, "kept": 14, "merged": 0}))
    with pytest.raises(Exception, match="ledger_broken"):
        clean.ledger_sum()


CODES = ["empty", "too_long", "duplicate", "conflict", "off_goal", "label_spelling", "json_layout", "structure"]


@st.composite
def decided(draw: st.DrawFn) -> tuple[GoalSheet, list[Example], Decisions, dict[str, Any]]:
    goal, examples, _, chosen = draw(mixtures())
    actions = st.sampled_from(["", "", "", "keep", "drop", "edit"])
    made: dict[str, Decision] = {}
    for example in examples:
        action = draw(actions)
        if action:
            answer = draw(ANSWERS[goal.output]) if action == "edit" else None
            made[example.id] = Decision(action, answer)  # type: ignore[arg-type]
    rules = draw(st.dictionaries(st.sampled_from(CODES), st.sampled_from(["keep", "drop"]), max_size=4))
    return goal, examples, Decisions(made, rules), chosen  # type: ignore[arg-type]


@given(decided())
@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_the_ledger_adds_up_whatever_is_decided(
    tmp_path: Path, mixture: tuple[GoalSheet, list[Example], Decisions, dict[str, Any]]
) -> None:
    goal, examples, decisions, chosen = mixture
    sound = SETTLED[goal.output]
    more = [row(f"{'abcdefghijkl'[i] * 7} more {i * i}", sound[i].answer or "", 5000 + i) for i in range(12)]
    data = [*more, *examples]  # these are left whatever is decided
    made = cleaned(tmp_path, data, goal, decisions, **chosen)
    kept, merged, aside = ({one.id for one in made.read(name)} for name in ("examples", "merged", "set_aside"))
    assert len(kept) + len(merged) + len(aside) == len(data) == len(kept | merged | aside)
    assert CleanSet(made.folder, made.counts).ledger_sum() is not None
    by_state: dict[str, set[str]] = {}
    for line in made.ledger:
        by_state.setdefault(line.state, set()).add(line.id)
    assert by_state.get("merged", set()) == merged
    assert by_state.get("set_aside", set()) == aside
    assert by_state.get("changed", set()) | by_state.get("kept", set()) <= kept
    broken = {line.id for line in made.ledger if line.code == "structure"}
    for id, decision in decisions.rows.items():
        if decision.action == "drop":
            assert id not in kept
        if decision.action == "keep" and id not in broken:
            assert id in kept
    edited = {id for id, one in decisions.rows.items() if one.action == "edit"}
    assert {line.id for line in made.ledger if line.code == "edited"} == edited & kept
    ruled_out = {reason for reason, action in decisions.rules.items() if action == "drop"}
    for line in made.ledger:
        if line.state == "changed" and line.code in ruled_out:
            assert line.id in decisions.rows
