"""What the split needs to know of each row."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tunesmith.example import Example
from tunesmith.products import PARTS, GoalSheet, Part

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

    def has_given(self, part: int) -> bool:
        return bool((self.given == part).any())


@dataclass
class Columns:
    """The columns of `Rows` while they grow."""

    ids: list[str] = field(default_factory=list)
    given: list[int] = field(default_factory=list)
    stratum: list[int] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)
    keys: dict[str, int] = field(default_factory=dict)
    key: list[int] = field(default_factory=list)
    time: list[int] = field(default_factory=list)

    def add(self, row: RowRead) -> None:
        self.ids.append(row.id)
        self.given.append(NOBODY if row.part is None else PARTS.index(row.part))
        self.stratum.append(self.labels.setdefault(row.label, len(self.labels)))
        self.key.append(NOBODY if row.group is None else self.keys.setdefault(row.group, len(self.keys)))
        self.time.append(NO_TIME if row.time is None else row.time)

    def rows(self, tested: Flags) -> Rows:
        """The rows, with what of them earlier rounds ``tested``."""
        whole = (np.array(column, np.int64) for column in (self.given, self.stratum, self.key, self.time))
        given, stratum, key, time = whole
        return Rows(self.ids, given, stratum, list(self.labels), key, time, tested)


class RowRead(NamedTuple):
    """What is read of one row. ``label`` is what the row counts as when parts are given equal shares."""

    id: str
    part: Part | None
    label: str
    group: str | None
    time: int | None

    @classmethod
    def of(cls, example: Example, label: str) -> RowRead:
        return cls(example.id, example.part, label, example.group, example.time)


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
