"""The stage `split`: training, validation and the locked test part, without leaks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tunesmith.artifact import write_json
from tunesmith.errors import InputError, TunesmithError
from tunesmith.leak_certificate import locks
from tunesmith.products import CERTIFICATE, PARTS, CleanSet, GoalSheet
from tunesmith.similarity.any_order import AnyOrderSets
from tunesmith.stages.context import Context
from tunesmith.stages.split.arrange import Arranged, arrange
from tunesmith.stages.split.earlier_rounds import Tested
from tunesmith.stages.split.grouping import Groups, groups_of, joined, joined_pairs
from tunesmith.stages.split.leak_certificate import Borders, certificate, random_split
from tunesmith.stages.split.read import read, sketchings
from tunesmith.stages.split.rows import NOBODY, TEST, TRAIN, Ints, Rows
from tunesmith.stages.split.settings import SplitSettings
from tunesmith.stages.split.tell import tell
from tunesmith.stages.split.write import write_left_out, write_parts

VERSION = 2
#: Pairs that grouping missed by chance are joined and the rows arranged again, at most so often.
MOST_ROUNDS = 20


def run(inputs: Mapping[str, Any], settings: SplitSettings, context: Context) -> dict[str, Any]:
    """Split the rows that `format` kept, or all where there is no `format` yet, into ``context.folder``.

    Returns the counts.

    Raises InputError ``too_few_to_split`` when a part would be empty, and ``label_only_in_test``.
    """
    clean: CleanSet = inputs["clean"]
    goal: GoalSheet = inputs["goal"]
    chosen = frozenset(inputs["format"].ids()) if "format" in inputs else None
    tested = Tested.read(context.facts.get("earlier_split"))
    with AnyOrderSets(sketchings(settings.near)) as sets:
        columns = read(clean, goal, chosen, settings.near, sets, context)
        rows = columns.rows(tested.among(columns.ids, sets.prints))
        if not rows.ids:
            raise _too_few(rows, 0, [0, 0, 0])
        near = joined(*sets.groups(settings.near))
        found, arranged, borders = _without_leaks(rows, near, sets, settings, context)
        by_chance = random_split(sets, found.near, rows.key, settings, context.seed)
        counts = arranged.counts
        if min(counts) == 0:
            raise _too_few(rows, int(found.whole.max()) + 1, counts)
        if goal.output == "label" and rows.has_given(TEST):
            _refuse_untrained_labels(rows, arranged.part, clean)
        left_out = np.flatnonzero(arranged.like != NOBODY)
        similarity = sets.jaccard(left_out, arranged.like[left_out])
    places = _places(clean, rows, left_out, arranged.like, borders)
    tell(context, rows, found, arranged, settings)
    parts = write_parts(rows, arranged.part, context)
    write_left_out(rows, left_out, arranged, similarity, places, context)
    at_test = np.flatnonzero(arranged.part == TEST)
    tested.write(context.folder, [rows.ids[row] for row in at_test.tolist()], sets.prints[at_test])
    hashes = locks(clean, parts)
    proof = certificate(borders, rows, arranged.part, settings, places, by_chance)
    write_json(context.folder / CERTIFICATE, {**proof, "locks": hashes})
    asked = (settings.train, settings.validation, settings.test)
    facts = {
        "fractions": {
            "asked": dict(zip(PARTS, asked, strict=True)),
            "got": {name: count / sum(counts) for name, count in zip(PARTS, counts, strict=True)},
        },
        "not_as_asked": arranged.why,
        "by": settings.by,
        "test_sha256": hashes["test"],
        "groups": int(found.whole.max()) + 1,
        "largest_group": int(np.bincount(found.whole).max()),
        "left_out": len(left_out),
        "tested_before": int((rows.tested & (arranged.part == TEST)).sum()),
        "random_would_leak": round(by_chance["test"]),
    }
    write_json(context.folder / "split.json", facts)
    return {**dict(zip(PARTS, counts, strict=True)), "left_out": len(left_out)}


def _without_leaks(
    rows: Rows, near: Ints, sets: AnyOrderSets, settings: SplitSettings, context: Context
) -> tuple[Groups, Arranged, Borders]:
    """Arrange the rows, hold the parts against each other, join what leaks, until nothing does."""
    smallest = min(settings.train, settings.validation, settings.test)
    for _ in range(MOST_ROUNDS):
        context.check()
        found = groups_of(rows, near, smallest, named=settings.group is not None)
        arranged = arrange(rows, found.whole, settings, context.seed)
        borders = Borders.of(sets, arranged.part, settings.near)
        if not borders.leaks:
            return found, arranged, borders
        pairs = np.array([(pair.left, pair.right) for pair in borders.leaks], np.int64)
        near = joined_pairs(near, pairs[:, 0], pairs[:, 1])
    raise TunesmithError(
        "leaks_between_parts",
        f"after {MOST_ROUNDS} rounds near copies still stand in different parts",
        "split",
        "this is a fault of Tunesmith: please report it",
    )


def _places(clean: CleanSet, rows: Rows, left_out: Ints, like: Ints, borders: Borders) -> dict[str, str]:
    """Where the rows that are told of came from, by id."""
    told = {row for pair, _ in borders.highest() for row in (pair.left, pair.right)}
    told |= {*left_out.tolist(), *like[left_out].tolist()}
    wanted = {rows.ids[row] for row in told}
    return clean.places(wanted) if wanted else {}


def _too_few(rows: Rows, found: int, counts: list[int]) -> InputError:
    told = ", ".join(f"{name}: {count}" for name, count in zip(PARTS, counts, strict=True))
    return InputError(
        "too_few_to_split",
        f"{len(rows.ids)} rows make {found} groups of equal or nearly equal inputs (or of one customer, document or "
        f"time), too few for three parts ({told})",
        "tunesmith.yaml: split",
        "add examples with other inputs, or give a larger fraction to the empty part",
    )


def _refuse_untrained_labels(rows: Rows, part: Ints, clean: CleanSet) -> None:
    """Raise InputError when the given test part has labels that training never sees, naming them all."""
    trained = set(rows.stratum[part == TRAIN].tolist())
    first: dict[str, str] = {}
    for row in np.flatnonzero((part == TEST) & (rows.given == TEST)):
        if int(rows.stratum[row]) not in trained:
            first.setdefault(rows.labels[rows.stratum[row]], rows.ids[row])
    if not first:
        return
    places = clean.places(set(first.values()))
    listed = "; ".join(f"{label!r} ({places[id]})" for label, id in first.items())
    raise InputError(
        "label_only_in_test",
        f"{len(first)} of the test part's labels are never seen in training: {listed}",
        next(iter(places.values())),
        "add training rows with these labels, or take their test rows out (training rows that are nearly equal to "
        "a test row are left out)",
    )
