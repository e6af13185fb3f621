"""The groups that rows are told by: rows of one tag, label, field value or source."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tunesmith.example import Example
from tunesmith.products import GoalSheet

#: The largest groups of a kind are told, the rest together.
MOST = 100


def members(examples: Iterable[Example], goal: GoalSheet) -> dict[str, dict[str, list[str]]]:
    """The ids of the rows in each group, by kind and name. Where some have a tag, those without one are a group."""
    found: dict[str, dict[str, list[str]]] = {}
    ids = []
    for example in examples:
        ids.append(example.id)
        for kind, name in groups_of(example, goal):
            found.setdefault(kind, {}).setdefault(name, []).append(example.id)
    if "tag" in found:
        tagged = {id for group in found["tag"].values() for id in group}
        if without := [id for id in ids if id not in tagged]:
            found["tag"]["(no tag)"] = without
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


def told_apart(groups: Mapping[str, Sequence[str]], fewest: int) -> dict[str, Sequence[str]]:
    """The groups of ``fewest`` rows and more; those too small to tell (and those too many) together, without a name."""
    largest = sorted(groups, key=lambda name: (-len(groups[name]), name))
    told = [name for name in largest[:MOST] if len(groups[name]) >= fewest]
    rest = sorted({id for name in largest if name not in set(told) for id in groups[name]})
    return {name: groups[name] for name in told} | ({"": rest} if rest else {})
