"""The rules of the advice: each of the five answers, and when nothing can be told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.stages.advise.advice import ANSWERS, ArmFacts, TaskFacts, advise
from tunesmith.stages.advise.wording import ARMS

TASK = TaskFacts("accuracy", 400, True, False, 0.02)


def arm(name: str, value: float, *, behind: float = 0.0, worse: bool = False, **more: object) -> ArmFacts:
    """An arm on 60 rows; ``worse``: shown to be worse than the best."""
    facts: dict[str, object] = {
        "low": max(0.0, value - 0.1),
        "high": min(1.0, value + 0.1),
        "n": 60,
        "meets": False,
        "misses": False,
        "behind": behind,
        "behind_low": 0.05 if worse else -0.1,
        "behind_p": 0.001 if worse else 0.6,
    }
    return ArmFacts(name, value, **{**facts, **more})  # type: ignore[arg-type]


def arms(**values: float) -> list[ArmFacts]:
    """Arms by their scores: those 15 points behind the best, and more, are shown to be worse."""
    best = max(values.values())
    return [arm(name, value, behind=best - value, worse=best - value >= 0.15) for name, value in values.items()]


FIVE = {
    "prompt": arms(bare=0.4, prompt=0.8, examples=0.8, retrieval=0.6, tuned=0.81, tuned_retrieval=0.8),
    "examples": arms(bare=0.4, prompt=0.5, examples=0.8, retrieval=0.5, tuned=0.8, tuned_retrieval=0.8),
    "retrieval": arms(bare=0.1, prompt=0.2, examples=0.2, retrieval=0.8, tuned=0.2, tuned_retrieval=0.81),
    "tuned": arms(bare=0.3, prompt=0.4, examples=0.5, retrieval=0.4, tuned=0.9, tuned_retrieval=0.9),
    "tuned_retrieval": arms(bare=0.1, prompt=0.1, examples=0.2, retrieval=0.4, tuned=0.5, tuned_retrieval=0.9),
}


@pytest.mark.parametrize("answer", FIVE)
def test_each_of_the_five_answers_is_given_where_it_is_the_simplest_that_is_as_good_as_the_best(answer):
    found = advise(FIVE[answer], TASK)
    assert found.answer == answer
    assert found.words.startswith("Fine-tune" if answer.startswith("tuned") else "Do not fine-tune")
    assert len(found.reasons) == len(FIVE[answer])
    assert found.changes


def test_a_set_up_that_meets_the_goal_is_enough_even_where_tuning_is_better():
    measured = [
        arm("bare", 0.7, behind=0.25, worse=True),
        arm("examples", 0.9, behind=0.09, worse=True, meets=True),
        arm("tuned", 0.99, meets=True),
    ]
    found = advise(measured, TASK)
    assert (found.answer, found.arm) == ("examples", "examples")
    assert "Do not fine-tune" in found.words
    assert "the tuned model is better still" in found.words


def test_tuning_is_advised_where_it_alone_meets_the_goal():
    measured = [arm("bare", 0.85, behind=0.05), arm("tuned", 0.95, meets=True)]
    found = advise(measured, TASK)
    assert found.answer == "tuned"
    assert "No set-up without training is shown to meet it" in found.words


def test_before_training_it_says_not_to_train_for_what_a_prompt_does():
    found = advise([arm("bare", 0.3, behind=0.6, worse=True), arm("prompt", 0.9, meets=True)], TASK)
    assert found.answer == "prompt"
    assert found.words.startswith("Do not fine-tune: a better prompt meets the goal")


@pytest.mark.parametrize(
    ("best", "said"),
    [
        ({"misses": True}, "Nothing that needs no training meets the goal"),
        ({"misses": False}, "It is not shown that anything without training meets the goal"),
        ({"meets": None}, "no goal.success to say what is enough"),
    ],
)
def test_before_training_it_cannot_tell_what_training_would_bring(best, said):
    found = advise([arm("bare", 0.3, behind=0.2, worse=True), arm("prompt", 0.5, **best)], TASK)
    assert (found.answer, found.arm) == ("cannot_tell", "prompt")
    assert said in found.words
    assert "tunesmith train" in found.words


def test_few_training_rows_are_told_before_training():
    found = advise([arm("bare", 0.3, misses=True)], TaskFacts("accuracy", 20, False, False, 0.02))
    assert "20 training rows" in found.words
    assert any("name these in advise.knowledge" in change for change in found.changes)


def test_few_rows_tell_nothing():
    found = advise([arm("bare", 1.0, n=8, meets=True)], TASK)
    assert found.answer == "cannot_tell"
    assert "8 validation rows are too few" in found.words


def test_a_gain_of_training_that_is_not_shown_is_no_reason_to_train():
    measured = [arm("bare", 0.3, behind=0.4, worse=True), arm("examples", 0.62, behind=0.08), arm("tuned", 0.7)]
    found = advise(measured, TASK)
    assert (found.answer, found.arm) == ("cannot_tell", "tuned")
    assert "a prompt with similar examples is not shown to be worse" in found.words


def test_where_the_plain_prompt_may_be_as_good_nothing_is_told():
    found = advise([arm("bare", 0.6, behind=0.1), arm("prompt", 0.7), arm("tuned", 0.69, behind=0.01)], TASK)
    assert found.answer == "cannot_tell"


def test_where_nothing_comes_near_the_goal_it_says_so():
    measured = [arm("bare", 0.0, misses=True), arm("tuned", 0.0, misses=True)]
    found = advise(measured, TaskFacts("exact_match", 400, False, False, 0.02))
    assert found.answer == "cannot_tell"
    assert "advise.knowledge" in found.words


def test_nothing_measured_nothing_told():
    assert advise([], TASK).answer == "cannot_tell"


values = st.fixed_dictionaries({}, optional={name: st.floats(0, 1) for name in ANSWERS})


@given(values, st.booleans(), st.randoms())
def test_the_answer_is_an_arm_that_was_measured_and_no_order_changes_it(scores, meets, random):
    measured = [
        arm(one.name, one.value, behind=one.behind, worse=one.worse, meets=meets and one.value > 0.8)
        for one in (arms(**scores) if scores else [])
    ]
    found = advise(measured, TASK)
    random.shuffle(measured)
    assert advise(measured, TASK) == found
    assert found.arm is None or found.arm in scores
    if found.answer != "cannot_tell":
        assert found.arm is not None
        assert ANSWERS[found.arm] == found.answer


def test_every_arm_has_its_words():
    assert list(ARMS) == list(ANSWERS)
