"""Answers are kept by what was asked of whom: asked once, durable, and a torn file costs only what was torn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.answering.answerer import Answerer, Prompt, of_model
from tunesmith.answering.cache import AT_ONCE, AnswerCache
from tunesmith.errors import TunesmithError
from tunesmith.example import Message
from tunesmith.learners.protocol import Prediction, Progress
from tunesmith.products import BaseModel, GoalSheet, TunedModel


class Parrot:
    """Says what it is asked, in capitals, and remembers what it was asked."""

    def __init__(self, dies_after: int = 10**9) -> None:
        self.asked: list[str] = []
        self.dies_after = dies_after

    def answerer(self, identity: str = "parrot") -> Answerer:
        return Answerer("parrot", identity, self.ask)

    def ask(self, prompts: Sequence[Prompt], on_progress: Progress) -> list[Prediction]:
        if len(self.asked) + len(prompts) > self.dies_after:
            raise KeyboardInterrupt
        self.asked += [prompt[-1].text for prompt in prompts]
        on_progress(len(prompts), len(prompts))
        return [Prediction(prompt[-1].text.upper(), 0.1 + 0.2, 3, 0.25) for prompt in prompts]


def prompts(*texts: str) -> list[Prompt]:
    return [(Message.of("user", text),) for text in texts]


def test_what_was_answered_once_is_not_asked_again(tmp_path: Path):
    parrot, cache = Parrot(), AnswerCache(tmp_path / "answers")
    first = cache.answer(parrot.answerer(), prompts("a", "b", "a"))
    assert [one.text for one in first] == ["A", "B", "A"]
    assert parrot.asked == ["a", "b"]
    again = AnswerCache(tmp_path / "answers").answer(parrot.answerer(), prompts("c", "b", "a"))
    assert [one.text for one in again] == ["C", "B", "A"]
    assert parrot.asked == ["a", "b", "c"]
    assert again[2] == first[0]  # to the last bit of its confidence


def test_what_is_kept_is_read_once_however_often_it_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    AnswerCache(tmp_path).answer(Parrot().answerer(), prompts("a"))
    read = []
    monkeypatch.setattr(Path, "read_bytes", lambda path, real=Path.read_bytes: read.append(path.name) or real(path))
    parrot, cache = Parrot(), AnswerCache(tmp_path)
    for text in ("a", "b", "c", "b"):
        assert cache.answer(parrot.answerer(), prompts(text))[0].text == text.upper()
    assert (parrot.asked, read) == (["b", "c"], ["parrot.jsonl"])


def test_another_identity_is_asked_for_itself(tmp_path: Path):
    parrot, cache = Parrot(), AnswerCache(tmp_path)
    cache.answer(parrot.answerer("one"), prompts("a"))
    cache.answer(parrot.answerer("other"), prompts("a"))
    assert parrot.asked == ["a", "a"]


def test_a_kill_costs_no_more_than_the_prompts_that_were_asked_together(tmp_path: Path):
    asked = prompts(*map(str, range(3 * AT_ONCE)))
    killed = Parrot(dies_after=2 * AT_ONCE)
    with pytest.raises(KeyboardInterrupt):
        AnswerCache(tmp_path).answer(killed.answerer(), asked)
    parrot = Parrot()
    found = AnswerCache(tmp_path).answer(parrot.answerer(), asked)
    assert [one.text for one in found] == [str(number) for number in range(3 * AT_ONCE)]
    assert parrot.asked == [str(number) for number in range(2 * AT_ONCE, 3 * AT_ONCE)]


@given(cut=st.integers(0, 400))
def test_a_file_torn_anywhere_costs_only_the_answers_that_were_torn(tmp_path_factory: Any, cut: int):
    folder = tmp_path_factory.mktemp("torn")
    AnswerCache(folder).answer(Parrot().answerer(), prompts("a", "b", "ü"))
    [path] = folder.glob("*.jsonl")
    data = path.read_bytes()
    path.write_bytes(data[: min(cut, len(data))])
    for _ in range(2):
        found = AnswerCache(folder).answer(Parrot().answerer(), prompts("a", "b", "ü"))
        assert [one.text for one in found] == ["A", "B", "Ü"]
    parrot = Parrot()
    AnswerCache(folder).answer(parrot.answerer(), prompts("a", "b", "ü"))
    assert parrot.asked == []


def test_without_a_folder_all_are_asked_together_and_none_are_kept():
    parrot = Parrot()
    for _ in range(2):
        assert [one.text for one in AnswerCache(None).answer(parrot.answerer(), prompts("a", "a"))] == ["A", "A"]
    assert parrot.asked == ["a", "a", "a", "a"]


def test_a_missing_answer_is_an_error_with_the_name_of_who_owes_it(tmp_path: Path):
    mute = Answerer("mute", "mute", lambda prompts, on_progress: [])
    for folder in (None, tmp_path):
        with pytest.raises(TunesmithError, match="mute gave 0 answers to 1 rows"):
            AnswerCache(folder).answer(mute, prompts("a"))


def test_progress_counts_known_answers_as_done(tmp_path: Path):
    parrot, told = Parrot(), []
    AnswerCache(tmp_path).answer(parrot.answerer(), prompts("a", "b"))
    AnswerCache(tmp_path).answer(parrot.answerer(), prompts("a", "b", "c"), lambda done, total: told.append(done))
    assert told == [3, 3]


def model(**changed: Any) -> str:
    base = BaseModel("b", "causal_lm", Path("b"), 1, 99, "", (), "", changed.pop("sha256", "0" * 64), "")
    goal = GoalSheet("text", "text", changed.pop("system", "Do it."))
    tuned = TunedModel(Path(changed.pop("folder", "model")), "causal_lm", {}, (), {}, {})
    learner = SimpleNamespace(name="causal_lm", predict=SimpleNamespace(VERSION=changed.pop("version", 1)))
    candidate = changed.pop("candidate", "tuned")
    return of_model(learner, candidate, base, goal, tuned, **{"max_new_tokens": 9, **changed}).identity


@pytest.mark.parametrize(
    "changed",
    [
        {"sha256": "1" * 64},
        {"system": "Do it well."},
        {"folder": "other"},
        {"version": 2},
        {"candidate": "base"},
        {"max_new_tokens": 10},
        {"enforce_schema": True},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_whatever_may_change_an_answer_changes_the_identity(changed):
    assert model(**changed) != model()


def test_the_base_is_the_same_whatever_was_trained():
    assert model(candidate="base", folder="one") == model(candidate="base", folder="other")
    assert model(name="shown as this") == model()
