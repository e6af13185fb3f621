"""Whether an answer that a person gave is one that the model could give: a label of the goal, JSON of its schema."""

from __future__ import annotations

import json

from jsonschema.exceptions import best_match

from tunesmith.errors import InputError
from tunesmith.json_schema import SlowPattern, validator
from tunesmith.products import GoalSheet

#: Labels that are named where an answer is none.
SHOWN = 40
LONGEST = 100_000  # characters


def fitted(goal: GoalSheet, answer: str, where: str = "") -> str:
    """The answer as it is kept: a label as the goal spells it, anything else as it was given.

    Raises InputError ``not_a_label``, ``answer_does_not_fit`` or ``empty_answer``.
    """
    if not answer.strip():
        raise InputError("empty_answer", "the answer is empty", where, "write one, or decline the request")
    if len(answer) > LONGEST or any("\ud800" <= character <= "\udfff" for character in answer):
        what = f"an answer is text of at most {LONGEST:,} characters"
        raise InputError("answer_does_not_fit", what, where, "shorten it, or save it as UTF-8")
    if goal.output == "label":
        return _label(goal, answer, where)
    if goal.output == "json" and goal.schema is not None:
        _check_json(goal, answer, where)
    return answer


def _label(goal: GoalSheet, answer: str, where: str) -> str:
    given = answer.strip()
    if given in goal.labels:
        return given
    alike = [label for label in goal.labels if label.casefold() == given.casefold()]
    if len(alike) == 1:
        return alike[0]
    named = ", ".join(goal.labels[:SHOWN]) + (", …" if len(goal.labels) > SHOWN else "")
    raise InputError("not_a_label", f"{given[:80]!r} is no label of the goal", where, f"one of: {named}")


def _check_json(goal: GoalSheet, answer: str, where: str) -> None:
    fix = "mend it; `goal.schema` says what an answer is"
    try:
        value = json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise InputError("answer_does_not_fit", f"the answer is not JSON: {error}", where, fix) from None
    try:
        fault = best_match(validator(goal.schema or {}).iter_errors(value))
    except (SlowPattern, RecursionError) as error:
        raise InputError("answer_does_not_fit", f"the answer cannot be checked: {error}", where, fix) from None
    if fault is not None:
        place = "/".join(map(str, fault.absolute_path))
        told = f"at {place}: {fault.message}" if place else fault.message
        raise InputError("answer_does_not_fit", f"the answer does not fit the schema: {told[:500]}", where, fix)
