"""What the split needs to know of each row."""

from __future__ import annotations

import json
from collections.abc import Iterable
from collections.abc import Set as Members
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tunesmith.example import Example
from tunesmith.products import PARTS, GoalSheet
from tunesmith.stages.split.earlier_rounds import Tested

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
TRAIN, VALIDATION, TEST = range(len(PARTS))
NOBODY = -1
NO_TIME = np.iinfo(np.int64).min


@dataclass(frozen=True)
class Rows:
    """The rows to split, in file order. ``given`` is the part that the user set, as an index into PARTS, or -1.

    ``stratum`` is an index into ``labels``: what each part should have its share of. ``key`` numbers the customers
    (threads, documents) that rows belong to, -1 where they belong to none. ``time`` is in microseconds, `NO_TIME`
    where there is none. ``tested``: whether the row was in the test part of an earlier round.
    """

    ids: list[str]
    given: Ints
    stratum: Ints
    labels: list[str]
    key: Ints
    time: Ints
    tested: Flags

    @classmethod
    def of(cls, examples: Iterable[Example], goal: GoalSheet, chosen: Members[str] | None, tested: Tested) -> Rows:
        """Read the chosen rows, those that `format` did not set aside; None: all."""
        property_name = first_enum(goal)
        found = _Columns()
        for example in examples:
            if chosen is None or example.id in chosen:
                found.add(example, label_of(example, goal, property_name), tested.holds(example))
        return cls(
            found.ids,
            np.array(found.given, np.int64),
            np.array(found.stratum, np.int64),
            list(found.labels),
            np.array(found.key, np.int64),
            np.array(found.time, np.int64),
            np.array(found.tested, np.bool_),
        )

    def has_given(self, part: int) -> bool:
        return bool((self.given == part).any())


@dataclass
class _Columns:
    """The columns of `Rows` while they grow."""

    ids: list[str] = field(default_factory=list)
    given: list[int] = field(default_factory=list)
    stratum: list[int] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)
    keys: dict[str, int] = field(default_factory=dict)
    key: list[int] = field(default_factory=list)
    time: list[int] = field(default_factory=list)
    tested: list[bool] = field(default_factory=list)

    def add(self, example: Example, label: str, tested: bool) -> None:
        self.ids.append(example.id)
        self.given.append(NOBODY if example.part is None else PARTS.index(example.part))
        self.stratum.append(self.labels.setdefault(label, len(self.labels)))
        self.key.append(NOBODY if example.group is None else self.keys.setdefault(example.group, len(self.keys)))
        self.time.append(NO_TIME if example.time is None else example.time)
        self.tested.append(tested)


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
