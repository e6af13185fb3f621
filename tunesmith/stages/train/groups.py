"""What each group of validation rows gained by the training: rows of one tag, label, field value or source."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from tunesmith.example import Example
from tunesmith.learners.protocol import RowOutcome
from tunesmith.products import GoalSheet, GroupGain
from tunesmith.scoring.intervals import interval_of_mean

#: Groups of fewer rows are told together: a mean of one or two rows says nothing about the group.
FEWEST = 3
#: The largest groups of a kind are told, the rest together.
MOST = 100
RESAMPLES = 2000

Outcomes = Mapping[str, tuple[RowOutcome, RowOutcome]]


def group_gains(examples: Iterable[Example], outcomes: Outcomes, goal: GoalSheet, seed: int) -> list[GroupGain]:
    """The gain of every group with its n and interval, by kind; within a kind what gained least comes first.

    ``outcomes``: each validation row before training and at the kept step, by id. A kind whose rows
    are all in one group is left out.
    """
    members: dict[str, dict[str, list[str]]] = {}
    for example in examples:
        if example.id in outcomes:
            for kind, name in groups_of(example, goal):
                members.setdefault(kind, {}).setdefault(name, []).append(example.id)
    found = []
    for kind, groups in members.items():
        if kind == "tag" and (without := _without(groups, outcomes)):
            groups["(no tag)"] = without
        merged = _merged(groups)
        if len(merged) > 1:
            gains = [_gain(kind, name, [outcomes[id] for id in ids], seed) for name, ids in merged.items()]
            found += sorted(gains, key=lambda one: (one.is_rest, one.gain))
    return found


def groups_of(example: Example, goal: GoalSheet) -> Iterator[tuple[str, str]]:
    """The groups that an example is in: kind and name. Fields of JSON count where the schema lists their values."""
    if goal.output == "label" and example.answer is not None:
        yield "label", example.answer
    elif goal.output == "json" and goal.schema is not None:
        yield from _listed_values(example.answer or "", goal.schema)
    for tag in sorted(set(example.tags)):
        yield "tag", tag
    yield "source", example.source.uri


def _listed_values(answer: str, schema: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    try:
        fields = json.loads(answer)
    except ValueError:
        return
    for field, rules in schema.get("properties", {}).items():
        if isinstance(fields, dict) and isinstance(rules, dict) and fields.get(field) in rules.get("enum", ()):
            yield field, str(fields[field])


def _without(groups: Mapping[str, list[str]], outcomes: Outcomes) -> list[str]:
    tagged = {id for ids in groups.values() for id in ids}
    return [id for id in outcomes if id not in tagged]


def _merged(groups: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """The groups, those too small to tell (and those too many) put together; its name is empty."""
    largest = sorted(groups, key=lambda name: (-len(groups[name]), name))
    told = [name for name in largest[:MOST] if len(groups[name]) >= FEWEST]
    rest = sorted({id for name in largest if name not in set(told) for id in groups[name]})
    return {name: groups[name] for name in told} | ({"": rest} if rest else {})


def _gain(kind: str, name: str, rows: list[tuple[RowOutcome, RowOutcome]], seed: int) -> GroupGain:
    figures = np.array(rows, dtype=np.float64)  # (rows, before or kept, loss or right)
    (loss_before, right_before), (loss, right) = figures.mean(0).tolist()
    gains = figures[:, 0, 0] - figures[:, 1, 0]
    interval = interval_of_mean(gains, resamples=RESAMPLES, seed=seed) if len(rows) >= FEWEST else None
    low, high = interval or (None, None)
    return GroupGain(kind, name, len(rows), loss_before, loss, low, high, right_before, right)
