"""Models of earlier rounds as candidates: each answers the test rows as it would have answered its users."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tunesmith.answering.answerer import TrainedModel, of_model
from tunesmith.answering.cache import AnswerCache
from tunesmith.answering.confidence import sure_of_choices
from tunesmith.errors import InputError
from tunesmith.events import Pace
from tunesmith.example import Example
from tunesmith.learners.protocol import Prediction
from tunesmith.products import GoalSheet
from tunesmith.stages.context import Context
from tunesmith.stages.test.settings import ROUND, TestSettings


def answers_of_rounds(
    settings: TestSettings,
    rows: Sequence[Example],
    goal: GoalSheet,
    find_learner: Callable[[str], Any],
    context: Context,
    *,
    max_new_tokens: int,
) -> dict[str, list[Prediction]]:
    """The answers of each round among the candidates, by the candidate's name.

    Raises InputError ``other_output`` for a round whose answers are of another kind than the goal's.
    """
    models: Mapping[int, TrainedModel] = context.facts.get("round_models", {})
    cache, found = AnswerCache(context.facts.get("answers")), {}
    for number in settings.asked_rounds:
        name, model = f"{ROUND}{number}", models[number]
        if model.goal.output != goal.output:
            raise InputError(
                "other_output",
                f"the model of round {number} answers with {model.goal.output}, and the goal asks for {goal.output}",
                "tunesmith.yaml: test.candidates",
                f"take {name} out of test.candidates",
            )
        learner = find_learner(model.tuned.learner)
        answerer = of_model(
            learner, "tuned", model.base, model.goal, model.tuned, max_new_tokens=max_new_tokens, name=name
        )
        pace = Pace(len(rows))

        def tell(done: int, total: int, pace: Pace = pace, name: str = name) -> None:
            context.check()
            if pace.due():
                context.progress(done, total, f"answers of {name}", pace.seconds_left(done))

        found[name] = sure_of_choices(model.goal, cache.answer(answerer, [row.prompt for row in rows], tell))
    return found


def facts_of_rounds(settings: TestSettings, context: Context) -> dict[str, Any]:
    """What stands behind each round among the candidates, for the report."""
    models: Mapping[int, TrainedModel] = context.facts.get("round_models", {})
    return {
        f"{ROUND}{number}": {"what": f"{models[number].base.name}, tuned in round {number}", "where": "on this machine"}
        for number in settings.asked_rounds
    }
