"""`tunesmith show collect`: the files, how they were read, and the rows that could not be."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from tunesmith.cli.screen import Screen, brief
from tunesmith.products import Collection

ROWS_SHOWN = 10


def show(collection: Collection, screen: Screen) -> None:
    """Show each file with its mapping, then the first rows that were set aside."""
    screen.table(
        ["file", "shape", "read as", "rows", "examples", "set aside"],
        [
            [
                source["path"],
                source["shape"],
                mapping_in_words(source["mapping"]),
                f"{source['rows']:,}",
                f"{source['examples']:,}",
                f"{source['set_aside']:,}",
            ]
            for source in collection.sources
        ],
        right=(3, 4, 5),
    )
    aside = sum(source["set_aside"] for source in collection.sources)
    if aside:
        screen.say()
        screen.heading(f"{aside:,} rows were set aside")
        for row in islice(collection.set_aside(), ROWS_SHOWN):
            screen.say(f"  {row.uri}:{row.row}: {row.evidence} [{row.code}]")
        if aside > ROWS_SHOWN:
            screen.say(f"  … and {aside - ROWS_SHOWN:,} more")


def mapping_in_words(mapping: Any) -> str:
    """How a row is read: input: body; output: category, urgency."""
    if not isinstance(mapping, Mapping):
        return brief(mapping or "", 200)
    words = []
    for name, columns in mapping.items():
        if columns not in (None, [], (), ""):
            listed = ", ".join(map(str, columns)) if isinstance(columns, (list, tuple)) else str(columns)
            words.append(f"{name}: {listed}")
    return "; ".join(words)
