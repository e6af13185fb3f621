"""Rows of a pool without answers: those that the data does not have yet, and the most worth labelling of them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tunesmith.errors import InputError
from tunesmith.example import Example, Message, Source, digest, make_example
from tunesmith.example_parquet import read_rows
from tunesmith.learners.protocol import Prediction
from tunesmith.products import Gain, ProposedItem, ProposedRow
from tunesmith.similarity.choose_rows import choose_rows
from tunesmith.similarity.embeddings import Vectors
from tunesmith.similarity.normal_form import normalise
from tunesmith.stages.improve.item import Made, counted

#: Of a larger pool so many rows are looked at, evenly spread.
MOST = 20_000
COLUMNS = ("text", "input", "message", "question", "prompt", "instruction", "query", "body", "content")


@dataclass(frozen=True)
class PoolRow:
    """A row of the pool: a file and the row's number in it, from 1."""

    text: str
    uri: str
    row: int

    @property
    def id(self) -> str:
        return digest("pool", self.text)

    def example(self, answer: str) -> Example:
        """The row as an example with an answer, to see whether the model can be shown it."""
        return make_example(
            [Message.of("user", self.text), Message.of("assistant", answer)], Source(self.uri, self.row)
        )


@dataclass(frozen=True)
class Pool:
    """``rows`` can be chosen from; ``known`` counts those that the data has, ``empty`` those that say nothing."""

    rows: list[PoolRow]
    known: int = 0
    empty: int = 0


def read_pool(files: Sequence[str], project: Path, column: str | None, known: Collection[str]) -> Pool:
    """Read the pool's files. ``known`` are the normalised inputs of the data, and of the last test.

    Raises InputError ``pool_unreadable`` for a file that cannot be read, or that has no column to ask with.
    """
    rows: list[PoolRow] = []
    seen = set(known)
    repeated = empty = 0
    for name in files:
        for number, text in enumerate(_texts(project / name, name, column), 1):
            normal = normalise(text)
            if not normal:
                empty += 1
            elif normal in seen:
                repeated += 1
            else:
                seen.add(normal)
                rows.append(PoolRow(text, name, number))
    if len(rows) > MOST:
        rows = [rows[at] for at in np.linspace(0, len(rows) - 1, MOST).astype(int).tolist()]
    return Pool(rows, repeated, empty)


def with_requests(pool: Pool, requests: Sequence[Mapping[str, str]], known: Collection[str]) -> Pool:
    """The pool with requests of the served model (their ``id`` and ``text``), each of a file of its own."""
    seen = {*known, *(normalise(row.text) for row in pool.rows)}
    rows, repeated = list(pool.rows), pool.known
    for one in requests:
        normal = normalise(one["text"])
        if normal in seen:
            repeated += 1
        elif normal:
            seen.add(normal)
            rows.append(PoolRow(one["text"], f"traffic/{one['id']}", 1))
    return Pool(rows, repeated, pool.empty)


def _texts(path: Path, name: str, column: str | None) -> Iterator[str]:
    try:
        if path.suffix == ".parquet":
            yield from (_of_row(row, name, column) for row in read_rows(path))
        elif path.suffix in (".jsonl", ".ndjson"):
            with path.open(encoding="utf-8-sig") as file:
                yield from (_of_row(json.loads(line), name, column) for line in file if line.strip())
        elif path.suffix in (".csv", ".tsv"):
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows = csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ",")
                yield from (_of_row(row, name, column) for row in rows)
        else:
            with path.open(encoding="utf-8-sig") as file:
                yield from (line.rstrip("\r\n") for line in file)
    except (OSError, ValueError, csv.Error) as error:
        fix = "UTF-8 text with one input a line, or JSONL, CSV or Parquet"
        raise InputError("pool_unreadable", f"this file of the pool cannot be read ({error})", name, fix) from error


def _of_row(row: Any, name: str, column: str | None) -> str:
    if isinstance(row, str):
        return row
    there = list(row) if isinstance(row, dict) else []
    chosen = column if column in there else None if column else next((one for one in COLUMNS if one in there), None)
    if chosen is None:
        raise InputError(
            "pool_unreadable",
            f"no column of this file of the pool is the input{f' ({column!r} is not there)' if column else ''}",
            name,
            f"improve.input names one of: {', '.join(map(str, there)) or 'no columns'}",
        )
    return str(row[chosen] or "")


def to_label(
    pool: Pool,
    count: int,
    ask: Callable[[Sequence[Example]], list[Prediction]],
    embed: Callable[[Sequence[str]], Vectors],
    labelled: Sequence[str],
    gain_of: Callable[[int], tuple[Gain | None, str]],
    seed: int,
) -> list[Made]:
    """The rows of the pool most worth labelling, by the model's confidence and by how unlike they are to each other.

    ``labelled`` are the inputs of the training rows; ``gain_of`` tells what so many more rows should bring.
    """
    if not pool.rows:
        return []
    answers = ask([row.example("") for row in pool.rows])
    vectors = embed([*(row.text for row in pool.rows), *labelled])
    confidence = np.array([answer.confidence for answer in answers], np.float64)
    mine, known = vectors[: len(pool.rows)], vectors[len(pool.rows) :]
    chosen = choose_rows(mine, confidence, count, known=known, seed=seed).tolist()
    rows = []
    for at in chosen:
        row, answer = pool.rows[at], answers[at]
        why = f"the model is unsure of it (confidence {answer.confidence:.2f})"
        rows.append(ProposedRow("label", row.id, row.text, answer.text, "", why, f"{row.uri}:{row.row}"))
    unsure = float(np.median(confidence[chosen]))
    evidence = [
        f"Of {counted(len(pool.rows), 'row')} of the pool these are the ones that the model is unsure of (median "
        f"confidence {unsure:.2f}, of the whole pool {float(np.median(confidence)):.2f}) and that are unlike each "
        "other and the data."
    ]
    if pool.known or pool.empty:
        evidence.append(f"Left out: {pool.known:,} that the data has already, {pool.empty:,} that say nothing.")
    gain, how = gain_of(len(rows))
    item = ProposedItem(
        "label", "label", f"Label {counted(len(rows), 'row')} of the pool", tuple(evidence), gain, how, len(rows)
    )
    return [Made(item, tuple(rows))]
