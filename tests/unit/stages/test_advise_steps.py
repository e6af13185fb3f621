"""The steps of `advise`: prompts to try, choosing among them, comparing arms, what an answer costs, the page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.answering.cache import AnswerCache
from tunesmith.answering.equipment import Equipment, Shelf
from tunesmith.answering.setups import Setup
from tunesmith.example import Message, Source, make_example
from tunesmith.learners.protocol import Prediction
from tunesmith.products import BaseModel, Criterion, GoalSheet, Rule
from tunesmith.retrieval.index import Index, Knowledge
from tunesmith.stages.advise.arms import Asking, Seconds, measure, names_for
from tunesmith.stages.advise.compare import compare, score_arm
from tunesmith.stages.advise.costs import cost_of
from tunesmith.stages.advise.instructions import candidates, form_hints
from tunesmith.stages.advise.prompt_search import choose, rounds_for
from tunesmith.stages.advise.settings import AdviseSettings
from tunesmith.stages.context import Context

TEXT = GoalSheet("text", "text", "Answer.")
LABEL = GoalSheet("text", "label", "Which?", labels=("card_lost", "card_late"))
BASE = BaseModel("b", "causal_lm", Path("b"), 1000, 400, "MIT", ("en",), "s", "ab", "r")


@pytest.mark.parametrize(
    ("answers", "hint"),
    [
        (["yes", "no"] * 5, "Answer with one of these and nothing else: no, yes."),
        (["RED", "BLUE", "A-1", "GREEN"], "Write in capital letters."),
        ([f"ref {n} — bye for now" for n in range(30)], "End with “— bye for now”."),
        ([f"Dear customer, no {n}" for n in range(30)], "Begin with “Dear customer, no”."),
        ([f"word{n}" for n in range(30)], "Answer with one word and nothing else."),
        ([f"a few words {n}" for n in range(30)], "Answer in at most 4 words."),
    ],
)
def test_the_form_of_the_answers_is_put_into_words(answers, hint):
    assert hint in form_hints(TEXT, answers)


def test_the_schema_and_the_rules_are_put_into_words():
    schema = {"properties": {"team": {"enum": ["a", "b"]}, "note": {"type": "string"}}}
    [hint] = form_hints(GoalSheet("text", "json", "x", schema=schema), ['{"team": "a"}'])
    assert 'team (one of "a", "b"); note (string)' in hint
    rules = (Rule(at_most_words=9, starts_with=("Hi", "Hello"), never_contains=("asap",)),)
    assert form_hints(replace(TEXT, rules=rules), [])[0] == (
        "The answer never has the words “asap”, begins with “Hi” or “Hello”, has at most 9 words."
    )


@given(st.lists(st.text(min_size=1, max_size=30), max_size=12))
def test_the_plain_prompt_comes_first_and_no_prompt_twice(answers):
    found = candidates(TEXT, answers, name="prompt", sentence_encoder=False)
    assert found[0] == Setup("prompt")
    assert len(set(found)) == len(found)


def test_json_is_also_tried_with_the_schema_enforced_and_labels_are_said_in_several_ways():
    goal = GoalSheet("text", "json", "x", schema={"properties": {"a": {"type": "string"}}})
    assert any(one.enforce_schema for one in candidates(goal, ["{}"], name="p", sentence_encoder=False))
    found = candidates(LABEL, [], name="p", sentence_encoder=True)
    assert found[1].label_texts == ("This text is about card lost.", "This text is about card late.")


def row(number: int, answer: str = "a"):
    return make_example([Message.of("user", f"q{number}"), Message.of("assistant", answer)], Source("a", number))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9), st.integers(1, 60))
def test_halving_keeps_the_best_and_asks_as_often_as_it_said(values, rows):
    setups = [Setup("p", closing=str(number)) for number in range(len(values))]
    asked = 0

    def score(setup, some):
        nonlocal asked
        asked += len(some)
        return values[int(setup.closing)]

    chosen, tried = choose(setups, [row(number) for number in range(rows)], score)
    if len(setups) > 1:
        assert values[int(chosen.closing)] == max(values)
        assert int(chosen.closing) == values.index(max(values))
    planned = rounds_for(len(setups), rows)
    assert asked == sum(many * size for many, size in (planned if any(values) else planned[:1]))
    assert all(one.rows <= rows for one in tried)


def predictions(texts):
    return [Prediction(text, 1.0, 3, 0.5) for text in texts]


def test_arms_are_compared_with_the_best_in_pairs_and_corrected():
    goal = replace(LABEL, success=(Criterion("accuracy", 0.8),))
    references = ["card_lost", "card_late"] * 20
    rows = [row(number, answer) for number, answer in enumerate(references)]
    said = {
        "bare": ["card_lost"] * 40,
        "examples": [*references[:36], *["card_lost"] * 4],
        "tuned": references,
    }
    draw = {"resamples": 1000, "seed": 0}
    scored = {name: score_arm(goal, rows, predictions(texts), **draw) for name, texts in said.items()}
    facts, pairs = compare(goal, scored, **draw)
    by_name = {one.name: one for one in facts}
    assert [(pair.left, pair.right) for pair in pairs] == [("tuned", "bare"), ("tuned", "examples")]
    assert by_name["tuned"].behind == 0
    assert by_name["bare"].behind == pytest.approx(0.5)
    assert by_name["bare"].worse
    assert not by_name["examples"].worse
    assert by_name["bare"].behind_p == pytest.approx(2 * pairs[0].p)
    assert [by_name[name].meets for name in said] == [False, True, True]
    assert [by_name[name].misses for name in said] == [True, False, False]


def test_without_criteria_no_arm_meets_or_misses():
    scored = {"bare": score_arm(LABEL, [row(1, "card_lost")], predictions(["card_lost"]), resamples=1000, seed=0)}
    [facts], pairs = compare(LABEL, scored, resamples=1000, seed=0)
    assert (facts.meets, facts.misses, pairs) == (None, False, [])


class Learner:
    """Answers at once; a token is a letter."""

    name = "fake"
    encode = SimpleNamespace(
        encoder=lambda base, goal, most: SimpleNamespace(prompt_tokens=lambda prompt: list(prompt[-1].text))
    )
    predict = SimpleNamespace(
        predict=lambda candidate, base, goal, tuned, prompts, **more: predictions(["x"] * len(prompts))
    )


@pytest.mark.parametrize(
    ("prices", "cost", "by"),
    [
        ({}, None, ""),
        ({"price_per_million_tokens": 2.0}, 1000 * (10 + 3) / 1e6 * 2.0, "tokens"),
        ({"price_per_hour": 3.6}, 1000 * 0.5 / 3600 * 3.6, "hours"),
        ({"price_per_hour": 3.6, "price_per_million_tokens": 2.0}, 1000 * 13 / 1e6 * 2.0, "tokens"),
    ],
)
def test_what_a_thousand_requests_cost(prices, cost, by):
    prompts = [(Message.of("user", "ten letter"),)] * 3
    equipment = Equipment(Learner(), BASE, TEXT, None, 16)
    found = cost_of(Setup("bare"), prompts, predictions("abc"), equipment, AdviseSettings(**prices), build=7.0)
    assert (found.tokens_in, found.tokens_out, found.build, found.memory) == (10, 3, 7.0, 4000)
    assert found.per_thousand == (pytest.approx(cost) if cost is not None else None)
    assert found.priced_by == by


def test_each_arm_that_does_not_apply_says_why():
    shelf = Shelf.of([row(1)], None)
    nothing = Knowledge((), Index.of([], None))
    everything = Equipment(Learner(), BASE, TEXT, None, 16, shelf, nothing)
    assert names_for(everything, None) == (
        ["bare", "prompt", "examples", "retrieval", "tuned", "tuned_retrieval"],
        {},
    )
    names, out = names_for(replace(everything, knowledge=None), "nothing is trained yet")
    assert names == ["bare", "prompt", "examples"]
    assert out["retrieval"] == "no documents: advise.knowledge names none"
    assert out["tuned"] == "nothing is trained yet"
    fresh = replace(everything, base=replace(BASE, from_scratch=True), shelf=None, knowledge=None)
    assert names_for(fresh, None)[0] == ["tuned"]
    encoder = replace(everything, base=replace(BASE, kind="encoder"), goal=LABEL)
    assert names_for(encoder, None)[0] == ["bare", "prompt", "tuned"]  # no vectors, so no votes


def test_no_model_is_trained_to_be_measured_when_no_time_is_left(tmp_path):
    asking = Asking(
        Equipment(Learner(), BASE, TEXT, None, 16),
        AnswerCache(None),
        Context("advise", tmp_path, tmp_path, tmp_path),
        1.0,
    )
    asking.pause(-61)
    found = measure(
        asking,
        [row(number) for number in range(5)],
        [row(number) for number in range(5, 15)],
        AdviseSettings(),
        Seconds(),
        no_tuned=None,
        prepare_tuned=lambda: pytest.fail("a model was trained"),
    )
    assert found.arms == []
    assert (
        found.left_out["tuned"]
        == found.left_out["bare"]
        == "the time was up; with more advise.minutes it goes on from here"
    )
