"""Of JSON: does the probability of a chosen value mean what it says, field by field and for the whole answer?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tunesmith.json_schema import listed_fields
from tunesmith.products import GoalSheet
from tunesmith.scoring.calibration import Bin
from tunesmith.scoring.json_answers import field_scores, parse, same
from tunesmith.scoring.statistic import FloatArray
from tunesmith.stages.test.scored import Scored


@dataclass(frozen=True)
class Choices:
    """What a model chose, and how sure it was: ``name`` is the field, or nothing for all of them together.

    ``confidence`` and ``right`` ``[rows]``, ``right`` zeros and ones. ``wanted``: the share right that the goal asks
    for, where it asks for one.
    """

    name: str
    confidence: FloatArray
    right: FloatArray
    wanted: float | None


def choices(goal: GoalSheet, references: Sequence[str], scored: Scored) -> list[Choices]:
    """The choices of a JSON goal: all together first, then field by field. None where the schema lists no values.

    Together they are right where each is, or, where the goal asks for exact matches, where the whole answer is one.
    Of a field the answers count that chose a value for it.
    """
    fields = listed_fields(goal.schema) if goal.schema is not None else []
    if not fields:
        return []
    pairs = [
        (parse(reference), parse(answer.text)) for reference, answer in zip(references, scored.answers, strict=True)
    ]
    scores = [field_scores(due, given, goal.schema) for due, given in pairs]
    wanted = {one.metric: one.at_least for one in goal.success}
    right = {name: np.array([float(row.get(name, 0.0) == 1.0) for row in scores]) for name in fields}
    found = []
    for name in fields:
        chosen = [at for at, answer in enumerate(scored.answers) if name in answer.field_confidence]
        confidence = np.array([scored.answers[at].field_confidence[name] for at in chosen])
        found.append(Choices(name, confidence, right[name][chosen], wanted.get(f"field_f1.{name}")))
    exact = wanted.get("exact_match")
    if exact is not None:
        together = np.array([float(same(due, given)) for due, given in pairs])
    else:
        together = np.min(list(right.values()), axis=0)
    asked = [one.wanted for one in found if one.wanted is not None]
    whole = Choices(
        "",
        np.array([answer.confidence for answer in scored.answers]),
        together,
        exact if exact is not None else max(asked, default=None),
    )
    return [whole, *found]


@dataclass(frozen=True)
class FieldDiagram:
    """One field's reliability diagram, and what it says in words."""

    field: str
    words: str
    bins: Sequence[Bin]


def diagrams_of(facts: Mapping[str, Any] | None) -> list[FieldDiagram]:
    """The fields' diagrams from the facts of `calibration`."""
    return [
        FieldDiagram(name, one["words"], [Bin(**each) for each in one["bins"]])
        for name, one in ((facts or {}).get("fields") or {}).items()
    ]
