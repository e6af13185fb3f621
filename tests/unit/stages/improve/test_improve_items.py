"""The items of a proposal: what they are made of, what they must never hold, and what they should bring."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tunesmith import InputError
from tunesmith.decisions import Decisions
from tunesmith.example import Example, Message, Source, make_example
from tunesmith.learners.protocol import Prediction
from tunesmith.products import GoalSheet, LedgerLine, TrainedExample
from tunesmith.stages.improve.better_settings import to_set
from tunesmith.stages.improve.corrected import to_add
from tunesmith.stages.improve.missing import to_collect
from tunesmith.stages.improve.pool import Pool, PoolRow, read_pool, to_label
from tunesmith.stages.improve.quick_gain import QuickClassifier
from tunesmith.stages.improve.suspicious import to_relabel, to_remove

LABELS = ("billing", "delivery")
GOAL = GoalSheet("text", "label", "Which?", labels=LABELS)
NO_VECTORS = QuickClassifier((), (), {})


def row(number: int, answer: str, text: str = "") -> Example:
    turns = [Message.of("user", text or f"message {number}"), Message.of("assistant", answer)]
    return make_example(turns, Source("rows.csv", number))


ROWS = {one.id: one for one in (row(number, LABELS[number % 2]) for number in range(10))}
IDS = list(ROWS)


def clean(*lines: LedgerLine, coverage: dict[str, Any] | None = None) -> Any:
    return SimpleNamespace(ledger=lambda: iter(lines), coverage=lambda: coverage)


def flagged(id: str, code: str, evidence: str = "it breaks off") -> LedgerLine:
    return LedgerLine(id, "flagged", code, evidence)


def wrong(id: str, better: str) -> LedgerLine:
    said = f'"x" looks wrong: rows like it are "{better}" (probability 0.93, its own 0.01; 1 of 3 such rows)'
    return flagged(id, "wrong_label", said)


def tuned(*hard: str) -> Any:
    return SimpleNamespace(hardest=lambda count: [TrainedExample(id, [1, 2], 2, 3.5) for id in hard][:count])


def says(answer: str, confidence: float = 0.9) -> Callable[[Sequence[Example]], list[Prediction]]:
    return lambda rows: [Prediction(answer, confidence, 1, 0.1) for _ in rows]


def test_flagged_labels_and_rows_that_the_model_did_not_take_in_are_to_be_relabelled() -> None:
    ledger = clean(wrong(IDS[0], "delivery"), wrong("a test row", "delivery"), wrong(IDS[1], "no label of the goal"))
    [made] = to_relabel(ROWS, ledger, tuned(IDS[2], IDS[3]), GOAL, Decisions(), 10, says("delivery"), NO_VECTORS)
    assert {one.id: (one.answer, one.proposed) for one in made.rows} == {
        IDS[0]: ("billing", "delivery"),
        IDS[2]: ("billing", "delivery"),  # IDS[3] has that label already
    }
    assert made.item.gain is None
    assert made.item.how.startswith("not known: rows were not looked at")


def test_a_row_that_somebody_decided_on_or_that_the_model_doubts_is_left_alone() -> None:
    decided = Decisions.of({IDS[0]: "keep"})
    ledger = clean(wrong(IDS[0], "delivery"), flagged(IDS[0], "truncated"))
    assert to_relabel(ROWS, ledger, tuned(IDS[2]), GOAL, decided, 10, says("delivery", 0.4), NO_VECTORS) == []
    assert to_remove(ROWS, ledger, GOAL, decided, NO_VECTORS) == []


def test_flagged_rows_of_training_alone_are_to_be_removed_by_reason() -> None:
    ledger = clean(flagged(IDS[0], "truncated"), flagged(IDS[1], "truncated"), flagged("a test row", "far"))
    [made] = to_remove(ROWS, ledger, GOAL, Decisions(), NO_VECTORS)
    assert (made.item.id, made.item.rows, [one.id for one in made.rows]) == ("remove-truncated", 2, IDS[:2])
    assert to_remove(ROWS, ledger, GOAL, Decisions(rules={"truncated": "keep"}), NO_VECTORS) == []


def test_corrections_of_test_rows_never_become_examples() -> None:
    told = [
        {"id": "t1", "input": "anything", "answer": "billing"},
        {"id": "", "input": "A  Tested question", "answer": "billing"},
        {"id": "", "input": "a new question", "answer": "billing"},
        {"id": IDS[0], "input": "message 0", "answer": "delivery"},
    ]
    fresh, changed = to_add(told, ROWS, {"t1"}, {"a tested question"})
    assert [(one.input, one.proposed) for one in fresh.rows] == [("a new question", "billing")]
    assert [(one.id, one.proposed) for one in changed.rows] == [(IDS[0], "delivery")]
    assert "2 corrections of test rows stay out" in fresh.item.evidence[0]


def test_what_people_answered_at_the_served_model_is_proposed_with_its_evidence() -> None:
    why, where, turns = "answered by a person in the inbox on 2026-11-22", "inbox 3f2a", '[{"role": "user"}]'
    more = {"id": "", "part": "served", "why": why, "where": where}
    told = [
        {**more, "input": "a new talk", "answer": "billing", "messages": turns},
        {**more, "input": "message 0", "answer": "delivery", "messages": ""},
        {**more, "input": "A tested question", "answer": "billing", "messages": ""},
    ]
    fresh, changed = to_add(told, ROWS, set(), {"a tested question"})
    assert [(one.why, one.where, one.messages) for one in fresh.rows] == [(why, where, turns)]
    assert [(one.why, one.where) for one in changed.rows] == [(why, ROWS[IDS[0]].source.where)]


def report(*answers: tuple[str, str], slices: Sequence[dict[str, Any]] = ()) -> Any:
    rows = [
        {
            "id": str(at),
            "input": f"tested {at}",
            "reference": due,
            "tuned": {"answer": said, "score": float(due == said)},
        }
        for at, (due, said) in enumerate(answers)
    ]
    return SimpleNamespace(predictions=lambda: iter(rows), facts={"slices": {"found": list(slices)}})


def test_confused_labels_are_to_be_collected_with_a_ceiling_and_no_test_row_in_them() -> None:
    tested = report(*[("billing", "delivery")] * 3, ("delivery", "billing"), *[("billing", "billing")] * 16)
    low = {"kind": "length", "name": "long", "n": 9, "value": 0.2, "low": 0.1, "high": 0.4, "below": 0.01}
    tested.facts["slices"]["found"] = [low, {**low, "name": "short", "below": 0.4}]
    told = {
        "next": ["More rows of every kind: the measured curve still rises."],
        "enough": {"target": "", "gain": RISE},
    }
    confused, slow, more = to_collect(tested, clean(coverage=told), GOAL)
    assert confused.item.what == "Collect 20 more examples that tell “billing” from “delivery”"
    assert confused.item.evidence == (
        "On 4 of 20 test rows: 3 of “billing” were taken for “delivery”, 1 the other way round.",
    )
    assert confused.item.gain is not None
    assert (confused.item.gain.value, confused.item.gain.at_most) == (0.2, True)
    assert slow.item.id == "collect-length-long"
    assert more.item.gain is not None
    assert (more.item.gain.value, more.item.gain.low) == (0.04, 0.01)
    assert "tested " not in str((confused, slow, more))  # the inputs of the test rows
    assert not any(one.rows for one in (confused, slow, more))


RISE = {"value": 0.04, "low": 0.01, "high": 0.07, "n": 200}


@pytest.mark.parametrize(
    ("code", "setting"),
    [
        ("still_learning", ("train.epochs", 6.0)),
        ("overfitting", ("train.epochs", 1.4)),
        ("did_not_learn", ("train.learning_rate", 0.03)),
        ("learned", None),
    ],
)
def test_settings_follow_from_what_the_curve_says(code: str, setting: tuple[str, float] | None) -> None:
    model = SimpleNamespace(
        verdict={"code": code, "words": "the curve"},
        recipe={"epochs": 4.0, "learning_rate": 0.01},
        facts={"steps": 40, "best_step": 10},
    )
    made = to_set(model)  # type: ignore[arg-type]
    assert [one.item.setting for one in made] == ([setting] if setting else [])


@pytest.mark.parametrize("name", ["pool.txt", "pool.jsonl", "pool.csv"])
def test_the_pool_is_read_without_what_the_data_has(tmp_path: Path, name: str) -> None:
    texts = ["new one", "Known  one", "", "new one", "new two"]
    lines = {
        "pool.txt": "".join(f"{text}\n" for text in texts),
        "pool.jsonl": "".join(json.dumps({"text": text}) + "\n" for text in texts),
        "pool.csv": "id,text\n" + "".join(f"{at},{text}\n" for at, text in enumerate(texts)),
    }
    (tmp_path / name).write_text(lines[name], encoding="utf-8")
    pool = read_pool([name], tmp_path, None, {"known one"})
    assert [(one.text, one.row) for one in pool.rows] == [("new one", 1), ("new two", 5)]
    assert (pool.known, pool.empty) == (2, 1)


@pytest.mark.parametrize(("text", "column"), [('{"a": 1}\n', None), ('{"text": "x"}\n', "body"), ("{\n", None)])
def test_a_pool_that_cannot_be_read_is_told(tmp_path: Path, text: str, column: str | None) -> None:
    (tmp_path / "pool.jsonl").write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as fault:
        read_pool(["pool.jsonl"], tmp_path, column, ())
    assert fault.value.code == "pool_unreadable"


def test_rows_of_the_pool_in_doubt_are_to_be_labelled_without_an_answer_proposed() -> None:
    pool = Pool([PoolRow(f"text {at}", "pool.txt", at + 1) for at in range(20)])
    doubts = [0.3 if at < 5 else 1.0 for at in range(20)]

    def ask(rows: Sequence[Example]) -> list[Prediction]:
        return [Prediction("billing", sure, 1, 0.1) for _, sure in zip(rows, doubts, strict=True)]

    def embed(texts: Sequence[str]) -> Any:
        return np.eye(len(texts), dtype=np.float16)

    [made] = to_label(pool, 5, ask, embed, ["message 1"], lambda more: (None, f"not known of {more}"), 0)
    assert {one.where for one in made.rows} == {f"pool.txt:{number}" for number in range(1, 6)}
    assert {one.proposed for one in made.rows} == {""}
    assert made.item.how == "not known of 5"


def test_the_gain_is_measured_on_validation_rows_that_are_not_in_question() -> None:
    random = np.random.default_rng(0)
    rows = [row(number, LABELS[number % 2]) for number in range(120)]
    vectors = {
        one.id: (np.array([1.0, 0.0] if one.answer == "billing" else [0.0, 1.0]) + random.normal(0, 0.1, 2)).astype(
            np.float32
        )
        for one in rows
    }
    spoiled = [one.with_answer("delivery") if at < 60 and at % 4 == 0 else one for at, one in enumerate(rows)]
    quick = QuickClassifier(tuple(spoiled[:60]), tuple(rows[60:]), vectors)
    mended = {one.id: "billing" for one in spoiled[:60:4]}
    gain, how = quick.gain({**mended, rows[60].id: "billing"}, ())
    assert gain is not None
    assert gain.low <= gain.value <= gain.high
    assert "measured on 59 validation rows" in how
    assert quick.gain({}, ())[0] is None
    assert "too few" in QuickClassifier(quick.train, quick.validation[:9], vectors).gain(mended, ())[1]


def test_where_fewer_than_two_labels_would_be_left_the_gain_is_not_known() -> None:
    rows = [row(number, LABELS[number % 2]) for number in range(80)]
    quick = QuickClassifier(tuple(rows[:40]), tuple(rows[40:]), {one.id: np.ones(2, np.float32) for one in rows})
    one_label = {one.id for one in rows[:40] if one.answer == "billing"}
    for removed in (one_label, {one.id for one in rows[:40]}):
        assert quick.gain({}, removed) == (None, "not known: fewer than two labels would be left")


def test_the_gain_of_leaving_rows_out_is_known_of_labels_alone() -> None:
    rows = {one.id: one for one in (row(number, LABELS[number % 2]) for number in range(80))}
    ids = list(rows)
    random = np.random.default_rng(0)
    vectors = {id: random.normal(0, 1, 2).astype(np.float32) for id in ids}
    quick = QuickClassifier(tuple(rows[id] for id in ids[:40]), tuple(rows[id] for id in ids[40:]), vectors)
    ledger = clean(flagged(ids[0], "truncated"))
    [of_labels] = to_remove(rows, ledger, GOAL, Decisions(), quick)
    assert of_labels.item.gain is not None
    for output in ("json", "text"):
        [made] = to_remove(rows, ledger, GoalSheet("text", output, "Which?"), Decisions(), quick)
        assert made.item.gain is None
        assert made.item.how.startswith("not known: only what labels bring")
