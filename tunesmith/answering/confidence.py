"""How sure an answer is: of JSON, how sure its choices are."""

from __future__ import annotations

from collections.abc import Sequence
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
    fields = listed_fields(goal.schema) if goal.output == "json" and goal.schema is not None else []
    if not fields:
        return list(answers)
    found = []
    for answer in answers:
        chosen = [answer.field_confidence[name] for name in fields if name in answer.field_confidence]
        found.append(replace(answer, confidence=prod(chosen)) if chosen else answer)
    return found
