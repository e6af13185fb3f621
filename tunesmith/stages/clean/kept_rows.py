"""The rows that are looked at together: what goes in, and what each target says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tunesmith.example import Example
from tunesmith.example_parquet import ROWS_PER_GROUP, example_from_row
from tunesmith.products import GoalSheet
from tunesmith.stages.clean.json_layout import parse
from tunesmith.stages.clean.label_spelling import enum_spellings
from tunesmith.stages.clean.marks import Ints
from tunesmith.stages.clean.row_steps import RowSteps
from tunesmith.stages.clean.verdicts import Verdicts

#: Of a text the first characters are looked at: more than the encoder sees of it.
CHARACTERS = 4000

#: The name of the target of a goal with labels; those of JSON are named by their field.
LABEL = ""


@dataclass(frozen=True)
class KeptRows:
    """Rows as they will be written: ``number [n]`` in the collection, ``id``, ``given`` texts, and ``answer``.

    ``targets``: for each label or field with a list of choices the value of each row, None where there is none.
    """

    number: Ints
    id: Sequence[str]
    given: Sequence[str]
    answer: Sequence[str]
    targets: Mapping[str, Sequence[str | None]]

    def __len__(self) -> int:
        return len(self.number)


def choices_of(goal: GoalSheet) -> dict[str, tuple[str, ...]]:
    """The values that each target may take: the labels, or those of each field with a list of choices."""
    if goal.output == "label":
        return {LABEL: goal.labels}
    if goal.output == "json":
        return {name: tuple(sorted(values.known)) for name, values in enum_spellings(goal.schema).items()}
    return {}


def read_kept(
    source: Path, verdicts: Verdicts, steps: RowSteps, goal: GoalSheet, most: int, check: Callable[[], None]
) -> KeptRows:
    """Read the rows that are kept, masked and mended; of more than ``most``, as many, evenly drawn.

    ``check`` is called now and then, and may raise to stop.
    """
    numbers = np.flatnonzero(verdicts.kept)
    if len(numbers) > most:
        numbers = numbers[np.linspace(0, len(numbers) - 1, most).astype(np.int64)]
    names = list(choices_of(goal))
    found: list[Example] = []
    start = 0
    with pq.ParquetFile(source) as file:
        for batch in file.iter_batches(batch_size=ROWS_PER_GROUP):
            check()
            places = numbers[(numbers >= start) & (numbers < start + batch.num_rows)] - start
            for place, row in zip(places.tolist(), batch.take(pa.array(places)).to_pylist(), strict=True):
                example = example_from_row(row)
                found.append(steps.check(example).example if verdicts.marks.fixed[start + place] else example)
            start += batch.num_rows
    answers = [example.answer or "" for example in found]
    values = [_values(answer, names, goal.output) for answer in answers]
    return KeptRows(
        numbers,
        [example.id for example in found],
        [example.input[:CHARACTERS] for example in found],
        [answer[:CHARACTERS] for answer in answers],
        {name: [row.get(name) for row in values] for name in names},
    )


def _values(answer: str, names: Sequence[str], output: str) -> dict[str, str | None]:
    if output == "label":
        return {LABEL: answer}
    if not names:
        return {}
    try:
        value = parse(answer)
    except (ValueError, RecursionError):
        return {}
    return {name: value[name] for name in names if isinstance(value.get(name), str)} if isinstance(value, dict) else {}
