"""How sure an answer is: of JSON, how sure its choices are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod

from tunesmith.json_schema import listed_fields
from tunesmith.learners.protocol import Prediction
from tunesmith.products import GoalSheet


def sure_of_choices(goal: GoalSheet, answers: Sequence[Prediction]) -> list[Prediction]:
    """The answers, the confidence of JSON being the probability of all its choices together.

    Choices are the fields whose values the schema lists. Their probabilities multiply, since each was written knowing
    those before it. Where there is no such field, or the answer left all of them out, the confidence stays as it was.
    """
    fields = choices_of(goal)
    return [
        replace(answer, confidence=sure_of(fields, answer.confidence, answer.field_confidence)) for answer in answers
    ]


def choices_of(goal: GoalSheet) -> list[str]:
    """The fields of a JSON goal whose values the schema lists; none of another goal."""
    return listed_fields(goal.schema) if goal.output == "json" and goal.schema is not None else []


def sure_of(fields: Sequence[str], confidence: float, by_field: Mapping[str, float]) -> float:
    """The probability of all choices together; ``confidence`` of the whole answer where it made none."""
    chosen = [by_field[name] for name in fields if name in by_field]
    return prod(chosen) if chosen else confidence
