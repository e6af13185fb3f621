"""A set-up puts a question as it says, and no otherwise; it survives JSON; answers come back in the goal's words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.answering.cache import AnswerCache
from tunesmith.answering.equipment import Equipment, Shelf, answer, put
from tunesmith.answering.setups import Setup, apply, changed, in_words, question_of
from tunesmith.example import Message, Source, make_example
from tunesmith.learners.protocol import Prediction
from tunesmith.products import BaseModel, GoalSheet
from tunesmith.retrieval.chunks import Chunk
from tunesmith.retrieval.index import Index, Knowledge

GOAL = GoalSheet("text", "text", "Be kind.")
QUESTION = (Message.of("user", "Where is it?"),)
BASE = BaseModel("b", "causal_lm", Path("b"), 100, 400, "MIT", ("en",), "s", "ab", "r")


def example(text: str, answer: str, system: str | None = None):
    turns = [Message.of("user", text), Message.of("assistant", answer)]
    return make_example([*([Message.of("system", system)] if system else []), *turns], Source("a.csv", 1))


setups = st.builds(
    Setup,
    st.sampled_from(["bare", "examples"]),
    st.sampled_from(["base", "tuned"]),
    st.none() | st.text(max_size=9),
    st.text(max_size=9),
    st.integers(0, 5),
    st.integers(0, 5),
    st.integers(0, 5),
    st.lists(st.text(max_size=5), max_size=3).map(tuple),
    st.booleans(),
)


@given(setups)
def test_a_set_up_survives_json(setup):
    import json

    assert Setup.from_json(json.loads(json.dumps(setup.as_json()))) == setup
    assert in_words(setup)


def test_a_plain_set_up_changes_nothing():
    assert apply(Setup("bare"), GOAL, QUESTION) == (GOAL, QUESTION)
    assert Setup("bare").is_plain
    assert not Setup("bare", closing="x").is_plain


def test_instruction_examples_documents_and_closing_stand_where_they_should():
    setup = Setup("examples", system="Answer in one word.", closing="One word!", examples=2, chunks=1)
    near, far = example("Where is the map?", "Here."), example("Where is the tent?", "There.", "Be rude.")
    goal, prompt = apply(setup, GOAL, QUESTION, examples=[near, far], chunks=[Chunk("It is red.", "a.md:1", "Things")])
    assert goal.system == "Answer in one word."
    assert [(message.role, message.text) for message in prompt] == [
        ("user", "Where is the tent?"),
        ("assistant", "There."),
        ("user", "Where is the map?"),
        ("assistant", "Here."),
        ("user", "Things\nIt is red.\n\nWhere is it?\n\nOne word!"),
    ]


def test_a_rows_own_system_prompt_stays_first():
    own = (Message.of("system", "I am a pirate."), *QUESTION)
    _, prompt = apply(Setup("examples", examples=1), GOAL, own, examples=[example("a", "b")])
    assert [message.role for message in prompt] == ["system", "user", "assistant", "user"]
    assert question_of(own) == "Where is it?"


class Echo:
    """A learner that answers with what it was asked, and says whom it was asked as."""

    def __init__(self) -> None:
        self.name = "echo"
        self.predict = SimpleNamespace(predict=self._predict)

    def _predict(self, candidate, base, goal, tuned, prompts, **more):
        text = goal.labels[-1] if goal.labels else ""
        return [Prediction(text or f"{candidate}: {prompt[0].text}", 0.5, 1, 0.1) for prompt in prompts]


ROWS = [example("the red lamp is broken", "repair"), example("the blue lamp came twice", "returns")]


def equipment(**more) -> Equipment:
    return replace(Equipment(Echo(), BASE, GOAL, None, 16, Shelf.of(ROWS, None)), **more)


def test_the_most_similar_examples_are_shown_and_never_the_question_itself_in_a_search():
    setup = Setup("examples", examples=1)
    asked = [ROWS[0].prompt]
    assert put(setup, asked, equipment()).prompts[0][1].text == "repair"
    assert put(setup, asked, equipment(), of_shelf=True).prompts[0][1].text == "returns"


def test_what_does_not_fit_the_context_is_left_out():
    long = [example(f"the red lamp {'very ' * 60}{number}", "repair") for number in range(5)]
    shelf = Shelf.of(long, None)
    asked = (Message.of("user", "Where is the red lamp?"),)
    [given] = put(Setup("examples", examples=5), [asked], equipment(shelf=shelf)).prompts
    assert len(given) == 2 + 1  # one example of 66 words: a quarter of 400 tokens has no room for two
    assert given[-1] == asked[0]


def test_the_piece_of_the_documents_that_fits_is_given():
    chunks = (Chunk("Lunch is at noon.", "a.md:1"), Chunk("The lamp is in the attic.", "a.md:3"))
    knowledge = Knowledge(chunks, Index.of([chunk.shown for chunk in chunks], None))
    asked = [(Message.of("user", "Where is the lamp?"),)]
    [prompt] = put(Setup("retrieval", chunks=1), asked, equipment(knowledge=knowledge)).prompts
    assert prompt[0].text == "The lamp is in the attic.\n\nWhere is the lamp?"


def test_labels_come_back_in_the_goals_words():
    goal = replace(GOAL, output="label", labels=("billing", "delivery"))
    setup = Setup("prompt", label_texts=("about billing", "about delivery"))
    assert changed(setup, goal).labels == ("about billing", "about delivery")
    [found] = answer(setup, [QUESTION], equipment(goal=goal), AnswerCache(None))
    assert found.text == "delivery"


def test_the_nearest_examples_vote_by_nearness(monkeypatch):
    vectors = np.array([[1, 0], [0.9, 0.1], [0, 1]], np.float16)
    rows = [example("a", "x"), example("b", "x"), example("c", "y")]
    shelf = Shelf(tuple(rows), Index(("a", "b", "c"), Index.of(["a"], None).keywords, vectors, Path("e")))
    monkeypatch.setattr(
        "tunesmith.answering.equipment.embed", lambda texts, *more, **keys: np.array([[0, 1]] * len(texts), np.float16)
    )
    [found] = answer(Setup("examples", votes=3), [QUESTION], equipment(shelf=shelf), AnswerCache(None))
    assert found.text == "y"
    assert found.confidence > 0.9


def test_an_answer_is_asked_for_once_and_another_set_up_is_another_question(tmp_path):
    cache = AnswerCache(tmp_path)
    for _ in range(2):
        for setup in (Setup("bare"), Setup("prompt", system="Be brief.")):
            answer(setup, [QUESTION], equipment(), cache)
    files = list(tmp_path.glob("*.jsonl"))
    assert sorted(len(path.read_text().splitlines()) for path in files) == [1, 1]


@pytest.mark.parametrize(
    ("setup", "words"),
    [
        (Setup("bare"), "the base with your prompt"),
        (Setup("tuned", "tuned"), "the tuned model with your prompt"),
        (Setup("examples", system="x", examples=4), "the base with a better prompt and 4 similar training examples"),
        (Setup("tuned_retrieval", "tuned", chunks=2), "the tuned model with 2 pieces of your documents"),
        (Setup("examples", votes=16), "the labels of the 16 nearest training examples, by the base's vectors"),
    ],
)
def test_a_set_up_is_told_in_words(setup, words):
    assert in_words(setup) == words
