"""decisions.jsonl: what is confirmed is there, whatever was cut off, and later lines go before earlier ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith import decisions
from tunesmith.decisions import Decision, Decisions
from tunesmith.errors import InputError

IDS = st.sampled_from(["a" * 16, "b" * 16, "c" * 16])
TEXTS = st.text(st.characters(codec="utf-8"), max_size=10)
LINES = st.one_of(
    st.builds(lambda id, action: {"id": id, "decision": action}, IDS, st.sampled_from(["keep", "drop", "none"])),
    st.builds(lambda id, answer: {"id": id, "decision": "edit", "answer": answer, "reason": "conflict"}, IDS, TEXTS),
    st.builds(lambda r, d: {"rule": r, "decision": d}, st.sampled_from(["x", "y"]), st.sampled_from(["keep", "none"])),
)


@given(lines=st.lists(LINES, max_size=8), cut=st.integers(1, 60))
def test_a_line_that_was_cut_off_costs_no_other(
    tmp_path_factory: pytest.TempPathFactory, lines: list, cut: int
) -> None:
    path = tmp_path_factory.mktemp("cut") / decisions.FILE
    decisions.append(path, lines)
    before = decisions.read(path)
    assert before == Decisions().after(lines)
    torn = b'{"id": "dddddddddddddddd", "decision": "edit", "answer": "\\u00e9 twice"}'[:cut]
    path.write_bytes(path.read_bytes() + torn)
    assert decisions.read(path) == before
    decisions.append(path, [{"id": "e" * 16, "decision": "drop"}])
    assert decisions.read(path) == before.after([{"id": "e" * 16, "decision": "drop"}])
    decisions.write(path, before)
    assert decisions.read(path) == before


def test_a_hand_written_last_line_without_an_end_counts(tmp_path: Path) -> None:
    path = tmp_path / decisions.FILE
    path.write_text('{"id": "a", "decision": "keep"}')
    decisions.append(path, [{"id": "b", "decision": "drop"}])
    assert decisions.read(path) == Decisions.of({"a": "keep", "b": "drop"})


@pytest.mark.parametrize(
    "line",
    [
        '{"id": "a"}',
        '{"id": "a", "decision": "burn"}',
        '{"id": "a", "decision": "edit"}',
        '{"rule": "conflict", "decision": "edit", "answer": "x"}',
        '{"id": "a", "decision": "keep", "answer": "x"}',
        "[]",
    ],
)
def test_what_is_no_decision_is_told_with_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / decisions.FILE
    path.write_text(f'{{"id": "b", "decision": "keep"}}\n{line}\n')
    with pytest.raises(InputError) as failure:
        decisions.read(path)
    assert failure.value.code == "broken_decision"
    assert failure.value.where == "decisions.jsonl:2"


def test_the_recipe_names_an_edited_answer_by_its_hash() -> None:
    secret = Decisions({"a": Decision("edit", "call Anna"), "b": Decision("keep")}, {"conflict": "drop"})
    facts = secret.facts()
    assert "Anna" not in str(facts)
    assert facts != Decisions({**secret.rows, "a": Decision("edit", "call Bob")}, secret.rules).facts()
    assert Decisions.of({"b": "keep"}).facts() == {"decisions": {"b": "keep"}}
