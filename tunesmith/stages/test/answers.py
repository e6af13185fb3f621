"""Ask the base and the tuned model for an answer to each test row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tunesmith.answering.answerer import of_model
from tunesmith.answering.cache import AnswerCache
from tunesmith.answering.confidence import sure_of_choices
from tunesmith.answering.limit import limit_for
from tunesmith.events import Pace
from tunesmith.example import Example
from tunesmith.learners.protocol import Prediction
from tunesmith.products import BaseModel, Dataset, GoalSheet, Splits, TunedModel
from tunesmith.stages.context import Context

BASE = "base"
TUNED = "tuned"
ENFORCED = ", schema enforced"


@dataclass(frozen=True)
class Candidate:
    """One way to answer: ``name`` is what the report calls it."""

    name: str
    model: Literal["base", "tuned"]
    enforce_schema: bool = False


def candidates(goal: GoalSheet, *, enforce_schema: bool, with_base: bool = True) -> list[Candidate]:
    """The base with the goal's prompt and the tuned model; for JSON also with the schema enforced."""
    found = [Candidate(BASE, "base"), Candidate(TUNED, "tuned")]
    if goal.output == "json" and goal.schema is not None and enforce_schema:
        found += [Candidate(BASE + ENFORCED, "base", True), Candidate(TUNED + ENFORCED, "tuned", True)]
    return [one for one in found if with_base or one.model == "tuned"]


def answer_limit(dataset: Dataset, split: Splits, base: BaseModel, wanted: int | None) -> int:
    """The longest answer in tokens: as wanted, or half as long again as the longest that was trained on.

    Never more than the context holds behind the longest test prompt.
    """
    seen = {*split.ids("train"), *split.ids("validation")}
    longest_prompt = max((row.prompt_tokens for row in dataset.rows(set(split.ids("test")))), default=0)
    return limit_for(dataset.rows(seen), base.context - longest_prompt, wanted)


def answer_all(
    asked: Sequence[Candidate],
    learner: Any,
    rows: Sequence[Example],
    goal: GoalSheet,
    base: BaseModel,
    tuned: TunedModel,
    context: Context,
    *,
    max_new_tokens: int,
) -> dict[str, list[Prediction]]:
    """Each candidate's answers, in the order of the rows. Raises TunesmithError when one is missing."""
    prompts = [row.prompt for row in rows]
    pace = Pace(len(asked) * len(rows))
    cache = AnswerCache(context.facts.get("answers"))
    answers: dict[str, list[Prediction]] = {}
    by_model = sorted(asked, key=lambda candidate: candidate.model)  # each model is loaded once
    for number, candidate in enumerate(by_model):
        answerer = of_model(
            learner,
            candidate.model,
            base,
            goal,
            tuned,
            max_new_tokens=max_new_tokens,
            enforce_schema=candidate.enforce_schema,
            name=candidate.name,
        )
        tell = _progress(context, pace, number * len(rows), len(asked) * len(rows))
        answers[candidate.name] = sure_of_choices(goal, cache.answer(answerer, prompts, tell))
        context.progress((number + 1) * len(rows), len(asked) * len(rows), "answers")
    return {candidate.name: answers[candidate.name] for candidate in asked}


def _progress(context: Context, pace: Pace, before: int, total: int) -> Callable[[int, int], None]:
    def tell(done: int, rows: int) -> None:
        context.check()
        if pace.due():
            context.progress(before + done, total, "answers", pace.seconds_left(before + done))

    return tell


def facts_of(answers: dict[str, list[Prediction]]) -> dict[str, Any]:
    """How many answers were cut by the limit, and seconds an answer, by candidate."""
    return {
        "cut": {name: sum(not answer.finished for answer in given) for name, given in answers.items()},
        "seconds_per_answer": {
            name: sum(answer.seconds for answer in given) / len(given) for name, given in answers.items()
        },
    }
