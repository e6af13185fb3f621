"""The files of a split: the ids of each part, and the rows that are in none."""

from __future__ import annotations

import random
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tunesmith.example_parquet import RowWriter
from tunesmith.products import PARTS, Part
from tunesmith.stages.context import Context
from tunesmith.stages.split.arrange import Arranged
from tunesmith.stages.split.rows import Ints, Rows

IDS = pa.schema([("id", pa.string())])
LEFT_OUT = pa.schema(
    [
        ("id", pa.string()),
        ("reason", pa.string()),
        ("like", pa.string()),
        ("similarity", pa.float64()),
        ("where", pa.string()),
        ("like_where", pa.string()),
    ]
)


def write_parts(rows: Rows, part: Ints, context: Context) -> dict[Part, list[str]]:
    """Write the ids of each part in a seeded order, and return them."""
    written: dict[Part, list[str]] = {}
    for number, name in enumerate(PARTS):
        members = np.flatnonzero(part == number).tolist()
        random.Random(f"order {name} {context.seed}").shuffle(members)
        written[name] = [rows.ids[row] for row in members]
        with RowWriter(context.folder / f"{name}.parquet", IDS) as writer:
            for id in written[name]:
                writer.write({"id": id})
    return written


def write_left_out(
    rows: Rows,
    left_out: Ints,
    arranged: Arranged,
    similarity: npt.NDArray[np.float64],
    places: Mapping[str, str],
    context: Context,
) -> None:
    """Write the rows that are in no part, each with the row that it is too like, and how like."""
    with RowWriter(context.folder / "left_out.parquet", LEFT_OUT) as writer:
        for row, alike in zip(left_out.tolist(), similarity.tolist(), strict=True):
            like = int(arranged.like[row])
            writer.write(
                {
                    "id": rows.ids[row],
                    "reason": f"too_like_a_{PARTS[arranged.part[like]]}_row",
                    "like": rows.ids[like],
                    "similarity": alike,
                    "where": places[rows.ids[row]],
                    "like_where": places[rows.ids[like]],
                }
            )
