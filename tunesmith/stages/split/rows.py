"""What the split needs to know of each row."""

from __future__ import annotations

import json
from collections.abc import Iterable
from collections.abc import Set as Members
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tunesmith.example import Example
from tunesmith.products import PARTS, GoalSheet

Ints = npt.NDArray[np.int64]
TRAIN, VALIDATION, TEST = range(len(PARTS))
NOBODY = -1


@dataclass(frozen=True)
class Rows:
    """The rows to split, in file order. ``given`` is the part that the user set, as an index into PARTS, or -1.

    ``stratum`` is an index into ``labels``: what each part should have its share of.
    """

    ids: list[str]
    given: Ints
    stratum: Ints
    labels: list[str]

    @classmethod
    def of(cls, examples: Iterable[Example], goal: GoalSheet, chosen: Members[str] | None) -> Rows:
        """Read the chosen rows, those that `format` did not set aside; None: all."""
        property_name = first_enum(goal)
        ids: list[str] = []
        given: list[int] = []
        stratum: list[int] = []
        labels: dict[str, int] = {}
        for example in examples:
            if chosen is None or example.id in chosen:
                ids.append(example.id)
                given.append(NOBODY if example.part is None else PARTS.index(example.part))
                label = label_of(example, goal, property_name)
                stratum.append(labels.setdefault(label, len(labels)))
        return cls(ids, np.array(given, np.int64), np.array(stratum, np.int64), list(labels))

    def has_given(self, part: int) -> bool:
        return bool((self.given == part).any())


def first_enum(goal: GoalSheet) -> str | None:
    """The first property of a JSON goal that has a list of values."""
    properties = (goal.schema or {}).get("properties", {}) if goal.output == "json" else {}
    return next((name for name, rule in properties.items() if isinstance(rule, dict) and "enum" in rule), None)


def label_of(example: Example, goal: GoalSheet, property_name: str | None) -> str:
    """What the row counts as when parts are given equal shares: its label, its first enum value, or nothing."""
    if goal.output == "label":
        return example.answer or ""
    if property_name is None:
        return ""
    try:
        value = json.loads(example.answer or "")
    except ValueError:
        return ""
    return str(value.get(property_name, "")) if isinstance(value, dict) else ""
