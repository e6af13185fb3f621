"""Make the suite: some rows for each family, drawn by the seed, so that fewer rows are the first of more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from random import Random

from tunesmith.example import Example, digest
from tunesmith.stages.test.raccoon import attacks, length, mixed, strangers, typing, wrapping
from tunesmith.stages.test.raccoon.family import Case, Change, Family, Material, Row, last_of_user, said

#: In the order of the report. Where time is short, the first come first: see `affordable` in cost.py.
FAMILIES: tuple[Family, ...] = (
    *attacks.FAMILIES,
    *typing.FAMILIES,
    *wrapping.FAMILIES,
    *length.FAMILIES,
    *mixed.FAMILIES,
    *strangers.FAMILIES,
)
BY_NAME = {family.name: family for family in FAMILIES}


def rows_of(examples: Sequence[Example], unknown: frozenset[int] = frozenset()) -> list[Row]:
    """The test rows that can be spoiled: those whose user said some text last, and whose answer is known.

    ``unknown``: places of rows that no answer is due to, see unknown.py.
    """
    found = []
    for index, example in enumerate(examples):
        place = last_of_user(example.prompt)
        if place is None or index in unknown or example.is_document:
            continue
        text = example.prompt[place].text
        if text.strip():
            found.append(Row(index, example, text))
    return found


def make_suite(material: Material, counts: Mapping[str, int], seed: int) -> list[Case]:
    """The cases of each family in ``counts``, as many as that says or as there can be.

    The same rows, counts and seed give the same cases. No prompt of a family stands there twice, and none is longer
    than the base can see.
    """
    return [
        case
        for name, count in counts.items()
        for case in islice(_fitting(material, BY_NAME[name], material.rows, seed), count)
    ]


def _fitting(material: Material, family: Family, rows: Sequence[Row], seed: int) -> Iterator[Case]:
    """The family's cases in the order of the seed, those left out that are told already or too long."""
    told: set[str] = set()
    for row, change in _changes(material, family, rows, seed):
        if change.text in told or material.tokens(row, change.text) is None:
            continue
        told.add(change.text)
        answered = () if family.nature in ("unknown", "form") else (row,) if change.of is None else change.of
        yield Case(family, row, change, said(row.example.prompt, change.text), answered)


def _changes(material: Material, family: Family, rows: Sequence[Row], seed: int) -> Iterator[tuple[Row, Change]]:
    order = sorted(rows, key=lambda row: digest(str(seed), family.name, row.id))
    if family.make is None:
        assert family.strangers is not None  # a family has one or the other
        made = family.strangers(material, Random(f"{seed} {family.name}")) if order else []
        yield from ((order[number % len(order)], change) for number, change in enumerate(made))
        return
    for row in order:
        change = family.make(row, material, Random(f"{seed} {family.name} {row.id}"))
        if change is not None and change.text != row.text:
            yield row, change
