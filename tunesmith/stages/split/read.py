"""Read the rows to split, once and on all cores: what the split needs of each, and its input to be compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Set as Members
from pathlib import Path
from typing import NamedTuple

from tunesmith.events import Pace
from tunesmith.example_parquet import group_sizes, read_examples, read_rows
from tunesmith.processes import Processes, cores
from tunesmith.products import CleanSet, GoalSheet
from tunesmith.similarity.across import for_across
from tunesmith.similarity.any_order import AnyOrderSets, BothForms, both_forms
from tunesmith.similarity.near_duplicates import for_groups
from tunesmith.similarity.text_batches import Sketching
from tunesmith.stages.context import Context
from tunesmith.stages.split.rows import Columns, RowRead, first_enum, label_of

#: For fewer rows than this other processes are not worth their start.
FEWEST_ROWS = 20_000

#: A group of rows of the file by its number, and for each row of it whether it is chosen (None: all are).
Item = tuple[int, bytes | None]


class GroupRead(NamedTuple):
    rows: list[RowRead]
    texts: list[BothForms]


def sketchings(limit: float) -> tuple[Sketching, ...]:
    """The signatures that the split looks for near copies with."""
    return for_groups(limit), for_across(limit)


def read(
    clean: CleanSet, goal: GoalSheet, chosen: Members[str] | None, limit: float, sets: AnyOrderSets, context: Context
) -> Columns:
    """Read the chosen rows (None: all): their inputs go to ``sets``, the rest is returned."""
    path = clean.path / "examples.parquet"
    sizes = group_sizes(path)
    count = min(cores(), len(sizes)) if sum(sizes) >= FEWEST_ROWS else 1
    columns = Columns()
    pace = Pace(sum(sizes))
    done = 0
    with Processes(count, f"{__name__}:reader", path, goal, limit) as processes:
        for size, found in zip(sizes, processes.map(_items(path, len(sizes), chosen)), strict=True):
            for row in found.rows:
                columns.add(row)
            for batch in found.texts:
                sets.append(batch)
            done += size
            if pace.due() or done == sum(sizes):
                context.progress(done, sum(sizes), "rows", pace.seconds_left(done))
    sets.seal()
    return columns


def _items(path: Path, groups: int, chosen: Members[str] | None) -> Iterator[Item]:
    for group in range(groups):
        rows = () if chosen is None else read_rows(path, ["id"], [group])
        yield group, None if chosen is None else bytes(row["id"] in chosen for row in rows)


def reader(path: Path, goal: GoalSheet, limit: float) -> Callable[[Item], GroupRead]:
    """What reads one group of rows."""
    property_name = first_enum(goal)
    wanted = sketchings(limit)

    def read_group(item: Item) -> GroupRead:
        group, chosen = item
        rows: list[RowRead] = []

        def texts() -> Iterator[str]:
            for place, example in enumerate(read_examples(path, groups=[group])):
                if chosen is None or chosen[place]:
                    rows.append(RowRead.of(example, label_of(example, goal, property_name)))
                    yield example.input

        return GroupRead(rows, list(both_forms(texts(), wanted)))

    return read_group
