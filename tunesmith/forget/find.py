"""Find the rows to forget in what a project made: by id, or by a text that stands in them, with their equal copies."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tunesmith.artifact import Store
from tunesmith.decisions import Decisions
from tunesmith.errors import InputError
from tunesmith.example import Example
from tunesmith.example_parquet import example_from_row, read_rows
from tunesmith.products import PRIVATE_FILE
from tunesmith.ratings import Said
from tunesmith.similarity.normal_form import normalise
from tunesmith.tombstones import Tombstones

_ID = re.compile(r"[0-9a-f]{16}")


@dataclass
class Rows:
    """What was found: ids and tombstones of the rows, where they came from, their texts, and the artifacts with them.

    ``places``: file and row by the collection that they were read in, the newest collection last.
    """

    ids: set[str] = field(default_factory=set)
    tombstones: set[str] = field(default_factory=set)
    unread: int = 0  # rows that never became an example, and have no id
    places: dict[tuple[str, int], Path] = field(default_factory=dict)
    texts: set[str] = field(default_factory=set)  # normalised; in memory alone, never written
    folders: set[Path] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self.ids) + self.unread


class Wanted:
    """What the user named. A word that is no row's id is a text to look for."""

    def __init__(self, words: Sequence[str], known_ids: set[str]) -> None:
        self.ids = {word for word in words if word in known_ids}
        self.values = [normalise(word) for word in words if word not in known_ids]
        if not words or not all(self.values):
            raise InputError("nothing_to_forget", "an empty text stands in every row", "--forget", "name ids or a text")

    def in_text(self, text: str) -> bool:
        """Whether a named text stands in this one, without regard to case, spaces and the form of Unicode."""
        if not self.values:
            return False
        normal = normalise(text)
        return any(value in normal for value in self.values)


def texts_of(example: Example) -> Iterator[str]:
    """Every text of a row; JSON also as it reads without its escapes."""
    for message in example.messages:
        for part in message.parts:
            yield from _readings(part.text or "")
    if example.rejected:
        yield from _readings(example.rejected)
    yield from example.tags


def _readings(text: str) -> Iterator[str]:
    yield text
    if "\\" in text:
        try:
            yield json.dumps(json.loads(text), ensure_ascii=False)
        except (ValueError, RecursionError):
            pass


def find_rows(
    store: Store, words: Sequence[str], decisions: Decisions, tombstones: Tombstones, said: Sequence[Said] = ()
) -> tuple[Rows, Wanted]:
    """Look in every collection and clean set, old ones too, and in what people ``said`` of rows.

    Raises InputError ``nothing_to_forget`` for a word that is no id and stands in no row.
    """
    tables = sorted(_tables(store), key=lambda path: path.parent.stat().st_mtime)
    wanted = Wanted(words, _known_ids(tables, words) | {line.id for line in said if line.id in words})
    seeds, hits = _seeds(tables, wanted, decisions, said)
    missing = [value for value in wanted.values if value not in hits]
    if missing:
        raise InputError(
            "nothing_to_forget",
            f"no row has this id, and none holds this text: {', '.join(map(repr, _as_given(words, missing)))}",
            str(store.artifacts),
            "rows that no run has collected yet are found after `tunesmith collect`; the ids of others are in "
            "`tunesmith show clean`, and a text is found without regard to case and spaces",
        )
    rows = Rows(ids=seeds)
    as_they_came = [path for path in tables if _holds_originals(path)]
    cleaned = [path for path in tables if path not in as_they_came]
    told: set[str] = set()
    for path in [*as_they_came, *cleaned]:
        for example in _examples(path):
            if example.id in seeds and (path in as_they_came or example.id not in told):
                told.add(example.id)
                rows.tombstones.add(tombstones.of_example(example))
    for path in [*as_they_came, *cleaned]:
        # two persons' rows may be equal once they are masked, so only rows as they came are copies of each other
        _take_table(path, rows, tombstones if path in as_they_came else None)
    collected = [path for path in tables if path.parent.name.startswith("collect-")]
    for path in {path.parent / "set_aside.parquet" for path in collected}:
        _take_unread(path, rows, wanted, tombstones)
    return rows, wanted


def _holds_originals(path: Path) -> bool:
    return path.parent.name.startswith("collect-") or path.name == PRIVATE_FILE


def _as_given(words: Sequence[str], values: list[str]) -> list[str]:
    return [word for word in words if normalise(word) in values]


def _tables(store: Store) -> Iterator[Path]:
    """The Parquet files that hold examples."""
    for folder in store.artifacts.glob("*-*"):
        names = ["examples.parquet"] if folder.name.startswith("collect-") else []
        if folder.name.startswith("clean-"):
            names = [PRIVATE_FILE, "examples.parquet", "merged.parquet", "set_aside.parquet"]
        yield from (folder / name for name in names if (folder / name).is_file())


def _known_ids(tables: list[Path], words: Sequence[str]) -> set[str]:
    asked = {word for word in words if _ID.fullmatch(word)}
    return {id for path in tables for id in ids_in(path) if id in asked} if asked else set()


def _seeds(tables: list[Path], wanted: Wanted, decisions: Decisions, said: Sequence[Said]) -> tuple[set[str], set[str]]:
    """The ids of the rows that are named or hold a named text, and the texts that were found."""
    seeds, hits = set(wanted.ids), set[str]()
    if not wanted.values:
        return seeds, hits

    def look(id: str | None, texts: Iterator[str]) -> None:
        normal = [normalise(text) for text in texts]
        found = {value for value in wanted.values if any(value in text for text in normal)}
        hits.update(found)
        if found and id is not None:
            seeds.add(id)

    for path in tables:
        for example in _examples(path):
            look(example.id, texts_of(example))
    for id, decision in decisions.rows.items():
        look(id, _readings(decision.answer or ""))
    for line in said:  # a remark may name whom the row is not about: it goes, and the row stays
        look(None, iter(line.texts))
    for path in {path.parent / "set_aside.parquet" for path in tables if path.parent.name.startswith("collect-")}:
        for row in _rows(path):
            look(None, _readings(row["raw"]))
    return seeds, hits


def _take_table(path: Path, rows: Rows, tombstones: Tombstones | None) -> None:
    """Take the rows with these ids and, given tombstones, those of the same content: the same person's words."""
    collected = path.parent.name.startswith("collect-")
    for example in _examples(path):
        if example.id not in rows.ids and not (tombstones and tombstones.of_example(example) in rows.tombstones):
            continue
        rows.ids.add(example.id)
        rows.folders.add(path.parent)
        rows.texts.update(normalise(text) for text in texts_of(example))
        if collected:
            rows.places[example.source.uri, example.source.row] = path.parent


def _take_unread(path: Path, rows: Rows, wanted: Wanted, tombstones: Tombstones) -> None:
    for row in _rows(path):
        if wanted.values and any(wanted.in_text(text) for text in _readings(row["raw"])):
            rows.tombstones.add(tombstones.of_raw(row["raw"]))
            rows.folders.add(path.parent)
            rows.texts.add(normalise(row["raw"]))
            rows.unread += (row["uri"], row["row"]) not in rows.places
            rows.places[row["uri"], row["row"]] = path.parent


def _examples(path: Path) -> Iterator[Example]:
    return map(example_from_row, _rows(path))


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file, none of one that is gone or damaged: `tunesmith run` makes such a one anew."""
    try:
        yield from read_rows(path)
    except InputError:
        return


def ids_in(path: Path, column: str = "id") -> list[str]:
    """The ids in a Parquet file, none where there is no such column."""
    try:
        if column not in pq.read_schema(path).names:
            return []
        return [str(id) for id in pq.read_table(path, columns=[column])[column].to_pylist()]
    except (pa.ArrowException, OSError):
        return []
