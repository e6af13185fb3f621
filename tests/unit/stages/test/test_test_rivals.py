"""What a fresh model is measured against, and how that is told."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tunesmith.example import Message, Source, make_example
from tunesmith.products import BaseModel, EncodedRow
from tunesmith.stages.test.commonest import commonest_answer
from tunesmith.stages.test.documents import Frequencies
from tunesmith.stages.test.rivals import COMMONEST_ANSWER, THE_BASE, TOKEN_FREQUENCIES, rival_of
from tunesmith.stages.test.run import asked_rows


def rows_of(answers: list[str]) -> tuple[Any, Any]:
    """A clean set and a split whose training part are all rows but the last."""
    rows = [
        make_example([Message.of("user", str(number)), Message.of("assistant", answer)], Source("t", number))
        for number, answer in enumerate(answers)
    ]
    clean = SimpleNamespace(examples=lambda ids: (row for row in rows if row.id in ids))
    return clean, SimpleNamespace(ids=lambda part: [row.id for row in rows[:-1]])


def test_the_same_answer_for_all_is_the_commonest_of_the_training_rows() -> None:
    always = commonest_answer(*rows_of(["a", "b", "b", "a", "b", "a", "b", "a"]), "label", 2)
    assert [(one.text, one.confidence) for one in always] == [("b", 4 / 7)] * 2
    assert commonest_answer(*rows_of(["one", "two", "three"]), "text", 1)[0].text == "one"


def test_of_json_each_field_gets_its_commonest_value() -> None:
    answers = [{"kind": "ab"[number % 3 == 0], "reply": f"r{number}"} for number in range(8)]
    answers[2]["rare"] = "x"
    texts = [*map(json.dumps, answers), "no JSON", "last"]
    [always] = commonest_answer(*rows_of(texts), "json", 1)
    assert json.loads(always.text) == {"kind": "a", "reply": "r0"}


def test_the_rival_follows_from_the_base_and_the_rows(project) -> None:  # type: ignore[no-untyped-def]
    base: BaseModel = project._base()
    fresh = replace(base, from_scratch=True)
    assert rival_of(base, "json", texts=False) is THE_BASE
    assert rival_of(fresh, "label", texts=False) == COMMONEST_ANSWER
    assert rival_of(fresh, "json", texts=False).words == "always giving the commonest value of each field"
    assert rival_of(fresh, "text", texts=True) is TOKEN_FREQUENCIES


@pytest.mark.parametrize("rival", [THE_BASE, COMMONEST_ANSWER, TOKEN_FREQUENCIES])
def test_every_outcome_is_told_in_words(rival: Any) -> None:
    told = {shown: rival.comparison(shown, "1% against 2%") for shown in ("better", "worse", "not_shown")}
    assert len({*told.values(), *map(rival.headline, told)}) == 6
    assert all(rival.words in words and "1% against 2%" in words for words in told.values())
    assert "is worse than" in told["worse"]


def test_a_fresh_models_base_is_never_asked(project, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(project, "_base", lambda: replace(type(project)._base(project), from_scratch=True))
    tickets = [(f"ticket {number}", "ab"[number % 2]) for number in range(20)]
    goal = project.goal("label", labels=("a", "b"), success=(("accuracy", 0.6),))
    made = project.run(goal, tickets, [], ["a", "b"] * 10)
    assert {one["candidate"] for one in made.learner.asked} == {"tuned"}
    assert list(made.report.scores) == ["commonest answer", "tuned"]
    assert made.report.verdict["comparison"]["against"] == "commonest answer"
    for page in (made.html, made.markdown):
        assert "always giving the commonest answer" in page
        assert "base with your prompt" not in page.lower()
        assert "beside the base" not in page


def test_token_frequencies_foretell_as_they_were_counted() -> None:
    rows = [
        EncodedRow("a", [1, 5, 5, 6, 2], [True] * 5, None, 1.0, 1),
        EncodedRow("b", [1, 6, 7, 2], [True] * 4, None, 1.0, 1),
    ]
    dataset, split = SimpleNamespace(rows=lambda: iter(rows)), SimpleNamespace(ids=lambda part: ["a"])
    counted = Frequencies.of(dataset, split)  # type: ignore[arg-type]
    assert counted.counts.tolist() == [1, 1, 1, 1, 1, 3, 2, 1]
    found = counted.foretell(rows[1], 10)
    assert found.nats == pytest.approx(-np.log(2 / 11) - np.log(1 / 11))
    assert (found.right, found.tokens, found.bytes) == (0, 2, 10)


def test_rows_that_were_not_asked_are_told(project, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    whole = project._dataset
    monkeypatch.setattr(project, "_dataset", lambda rows: whole([row for row in rows if row.input != "too long"]))
    tickets = [*((f"ticket {number}", "a") for number in range(9)), ("too long", "b")]
    made = project.run(project.goal("label", labels=("a", "b")), tickets, ["b"] * 9, ["a"] * 9)
    assert (made.report.facts["rows"], made.report.facts["not_asked"]) == (9, 1)
    assert "Of these not asked" in made.html
    assert "1 row: too long for the model" in made.markdown


def test_texts_are_measured_where_no_row_has_a_question() -> None:
    text = make_example([Message.of("assistant", "a text")], Source("t", 1))
    asked = make_example([Message.of("user", "why"), Message.of("assistant", "so")], Source("t", 2))
    too_long = make_example([Message.of("user", "long"), Message.of("assistant", "so")], Source("t", 3))
    dataset = SimpleNamespace(ids=lambda: [text.id, asked.id])
    assert asked_rows([text, asked, too_long], dataset) == ([asked], False)  # type: ignore[arg-type]
    assert asked_rows([text, too_long], dataset) == ([text], True)  # type: ignore[arg-type]
