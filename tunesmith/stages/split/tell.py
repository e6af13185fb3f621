"""What the user is told of a split: labels that cannot be measured, parts of another size, rows left out."""

from __future__ import annotations

import numpy as np

from tunesmith.stages.context import Context
from tunesmith.stages.split.arrange import Arranged
from tunesmith.stages.split.by_time import older_than_part
from tunesmith.stages.split.grouping import Groups
from tunesmith.stages.split.rows import NOBODY, TEST, TRAIN, Rows
from tunesmith.stages.split.settings import SplitSettings

SHOWN = 10


def tell(context: Context, rows: Rows, found: Groups, arranged: Arranged, settings: SplitSettings) -> None:
    """Warn of what cannot be measured, and note what differs from what was asked."""
    if arranged.lonely:
        context.warn(
            f"only in the training part, since all their rows are nearly equal: {_listed(arranged.lonely)}; "
            "add other examples of these, or nothing can be said about how well they are learned"
        )
    total = sum(arranged.counts)
    for name, told in arranged.why.items():
        context.note(
            f"the {name} part has {told['rows']:,} rows ({told['rows'] / total:.1%}), {told['wanted']:,} "
            f"({told['wanted'] / total:.1%}) were asked: {told['why']}"
        )
    left_out = int((arranged.like != NOBODY).sum())
    if left_out:
        context.note(
            f"{left_out:,} rows are left out, since they are too like a row of the part that you gave; "
            "`tunesmith show split` lists them"
        )
    moved = int((rows.tested & (rows.given != NOBODY) & (rows.given != TEST)).sum())
    if moved:
        context.note(
            f"{moved:,} rows that you gave to another part were tested in earlier rounds and stay in the test part; "
            "another `seed` begins anew"
        )
    if found.documents_torn:
        context.note(
            f"passages of one file can stand in different parts: the largest file has {found.documents_torn:,} of "
            f"{total:,} passages, more than the smallest part"
        )
    if settings.group is not None and (alone := int((rows.key == NOBODY).sum())):
        context.note(f"{alone:,} rows have no {settings.group}; each of them stands for itself")
    if settings.by == "time":
        _tell_of_times(context, rows, found, arranged)


def _tell_of_times(context: Context, rows: Rows, found: Groups, arranged: Arranged) -> None:
    older = int(older_than_part(rows, arranged.part, TEST).sum())
    if older:
        context.note(
            f"{older:,} test rows are older than the newest training row: they are in one group with a later row, "
            "or earlier rounds tested them"
        )
    trained = set(rows.stratum[arranged.part == TRAIN].tolist())
    new = [rows.labels[one] for one in np.unique(rows.stratum[arranged.part == TEST]) if int(one) not in trained]
    if new:
        context.warn(f"labels that the training part does not have yet, since they come later: {_listed(new)}")


def _listed(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
