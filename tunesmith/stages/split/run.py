"""The stage `split`: training, validation and the locked test part, without leaks."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from collections.abc import Set as Members
from typing import Any

import numpy as np
import pyarrow as pa

from tunesmith.artifact import write_json
from tunesmith.errors import InputError
from tunesmith.events import Pace
from tunesmith.example_parquet import RowWriter
from tunesmith.products import PARTS, CleanSet, GoalSheet
from tunesmith.similarity.near_duplicates import groups
from tunesmith.stages.context import Context
from tunesmith.stages.split.given_parts import settle_given
from tunesmith.stages.split.leak_certificate import random_would_leak
from tunesmith.stages.split.rows import NOBODY, TEST, TRAIN, Ints, Rows
from tunesmith.stages.split.settings import SplitSettings
from tunesmith.stages.split.strata import assign_free
from tunesmith.test_lock import test_lock

VERSION = 1
NOTABLE = 0.02
IDS = pa.schema([("id", pa.string())])
LEFT_OUT = pa.schema([("id", pa.string()), ("reason", pa.string()), ("like", pa.string())])


def run(inputs: Mapping[str, Any], settings: SplitSettings, context: Context) -> dict[str, Any]:
    """Split the rows that `format` kept, or all where there is no `format` yet, into ``context.folder``.

    Returns the counts.

    Raises InputError ``too_few_to_split`` when a part would be empty, and ``label_only_in_test``.
    """
    clean: CleanSet = inputs["clean"]
    goal: GoalSheet = inputs["goal"]
    chosen = frozenset(inputs["format"].ids()) if "format" in inputs else None
    rows = Rows.of(clean.examples(), goal, chosen)
    if not rows.ids:
        raise _too_few(rows, 0, [0, 0, 0])
    group = groups(_texts(clean, chosen, len(rows.ids), context), settings.near)
    part, like = settle_given(rows, group)
    shares = _open_shares(rows, settings)
    part, lonely = assign_free(rows, group, part, like, shares, context.seed)
    counts = [int((part == number).sum()) for number in range(len(PARTS))]
    if min(counts) == 0:
        raise _too_few(rows, int(group.max()) + 1, counts)
    if goal.output == "label" and rows.has_given(TEST):
        _refuse_untrained_labels(rows, part, clean)
    _tell(context, lonely, shares, counts)
    _write_parts(rows, part, like, context)
    locked = {rows.ids[row] for row in np.flatnonzero(part == TEST)}
    left_out = int((like != NOBODY).sum())
    asked = (settings.train, settings.validation, settings.test)
    facts = {
        "fractions": {
            "asked": dict(zip(PARTS, asked, strict=True)),
            "got": {name: count / sum(counts) for name, count in zip(PARTS, counts, strict=True)},
        },
        "test_sha256": test_lock(clean.examples(locked)),
        "groups": int(group.max()) + 1,
        "largest_group": int(np.bincount(group).max()),
        "left_out": left_out,
        "random_would_leak": random_would_leak(group, settings, context.seed),
    }
    write_json(context.folder / "split.json", facts)
    return {**dict(zip(PARTS, counts, strict=True)), "left_out": left_out}


def _texts(clean: CleanSet, chosen: Members[str] | None, total: int, context: Context) -> Iterator[str]:
    """The inputs of the chosen rows (None: of all), telling how far the reading is."""
    pace = Pace(total)
    for row, example in enumerate(clean.examples(chosen)):
        if row % 256 == 0 and pace.due():
            context.progress(row, total, "rows", pace.seconds_left(row))
        yield example.input
    context.progress(total, total, "rows", 0.0)


def _open_shares(rows: Rows, settings: SplitSettings) -> dict[int, float]:
    """The fractions of the parts that are filled here: training, and what the user did not give."""
    asked = {number: float(getattr(settings, name)) for number, name in enumerate(PARTS)}
    shares = {number: share for number, share in asked.items() if number == TRAIN or not rows.has_given(number)}
    return {number: share / sum(shares.values()) for number, share in shares.items()}


def _too_few(rows: Rows, found: int, counts: list[int]) -> InputError:
    told = ", ".join(f"{name}: {count}" for name, count in zip(PARTS, counts, strict=True))
    return InputError(
        "too_few_to_split",
        f"{len(rows.ids)} rows make {found} groups of equal or nearly equal inputs, too few for three parts ({told})",
        "tunesmith.yaml: split",
        "add examples with other inputs, or give a larger fraction to the empty part",
    )


def _refuse_untrained_labels(rows: Rows, part: Ints, clean: CleanSet) -> None:
    """Raise InputError when the given test part has labels that training never sees, naming them all."""
    trained = set(rows.stratum[part == TRAIN].tolist())
    first: dict[str, str] = {}
    for row in np.flatnonzero(part == TEST):
        if int(rows.stratum[row]) not in trained:
            first.setdefault(rows.labels[rows.stratum[row]], rows.ids[row])
    if not first:
        return
    places = {example.id: example.source.where for example in clean.examples(set(first.values()))}
    listed = "; ".join(f"{label!r} ({places[id]})" for label, id in first.items())
    raise InputError(
        "label_only_in_test",
        f"{len(first)} of the test part's labels are never seen in training: {listed}",
        next(iter(places.values())),
        "add training rows with these labels, or take their test rows out (training rows that are nearly equal to "
        "a test row are left out)",
    )


def _tell(context: Context, lonely: list[str], shares: dict[int, float], counts: list[int]) -> None:
    """Warn of labels that cannot be measured, and note fractions that groups made differ."""
    if lonely:
        shown = ", ".join(lonely[:10]) + (f" and {len(lonely) - 10} more" if len(lonely) > 10 else "")
        context.warn(
            f"only in the training part, since all their rows are nearly equal: {shown}; "
            "add other examples of these, or nothing can be said about how well they are learned"
        )
    total = sum(counts[number] for number in shares)
    for number, share in shares.items():
        if abs(counts[number] / total - share) > NOTABLE:
            context.note(
                f"the {PARTS[number]} part has {counts[number] / total:.1%} of the rows, {share:.1%} was asked: "
                "nearly equal rows stay together, and every label should be in every part"
            )


def _write_parts(rows: Rows, part: Ints, like: Ints, context: Context) -> None:
    for number, name in enumerate(PARTS):
        members = np.flatnonzero(part == number).tolist()
        random.Random(f"order {name} {context.seed}").shuffle(members)
        with RowWriter(context.folder / f"{name}.parquet", IDS) as writer:
            for row in members:
                writer.write({"id": rows.ids[row]})
    with RowWriter(context.folder / "left_out.parquet", LEFT_OUT) as writer:
        for row in np.flatnonzero(like != NOBODY).tolist():
            reason = f"too_like_a_{PARTS[rows.given[like[row]]]}_row"
            writer.write({"id": rows.ids[row], "reason": reason, "like": rows.ids[like[row]]})
