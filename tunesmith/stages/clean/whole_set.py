"""A look at the whole set: what no row shows by itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tunesmith.artifact import write_json
from tunesmith.products import GoalSheet
from tunesmith.similarity.embeddings import Vectors
from tunesmith.similarity.neighbours import Neighbours, nearest
from tunesmith.stages.clean import far, near_duplicate, out_of_fold, same_meaning, wrong_label
from tunesmith.stages.clean.coverage import FILE, coverage
from tunesmith.stages.clean.kept_rows import LABEL, KeptRows, choices_of, read_kept
from tunesmith.stages.clean.marks import PART_RANK, Bools
from tunesmith.stages.clean.meaning import vectors_of
from tunesmith.stages.clean.out_of_fold import OutOfFold
from tunesmith.stages.clean.remark import Remark
from tunesmith.stages.clean.row_steps import RowSteps
from tunesmith.stages.clean.settings import CleanSettings
from tunesmith.stages.clean.verdicts import Mended, Verdicts
from tunesmith.stages.clean.write import Names
from tunesmith.stages.context import Context

NEIGHBOURS = 10
#: Coverage of more rows is told from so many, evenly drawn.
SAMPLE = 20_000


@dataclass(frozen=True)
class Look:
    """The rows that are looked at together, and what was measured of them. Without the encoder only the rows."""

    rows: KeptRows
    vectors: Vectors | None = None
    neighbours: Neighbours | None = None
    predicted: Mapping[str, OutOfFold] = field(default_factory=dict)
    locked: Bools | None = None

    @property
    def predicted_unlocked(self) -> dict[str, OutOfFold]:
        """The predictions of rows that are not of a given test part."""
        locked = self.locked
        return {name: found.without(locked) for name, found in self.predicted.items()} if locked is not None else {}


def look_at_whole_set(
    source: Path,
    verdicts: Verdicts,
    steps: RowSteps,
    goal: GoalSheet,
    settings: CleanSettings,
    names: Names,
    context: Context,
) -> Verdicts:
    """The verdicts with what all rows together show: near-duplicates, wrong labels, equal meaning, rows far from all.

    Writes coverage.json, and embeddings.parquet where the encoder is at hand.
    """
    flags: defaultdict[int, list[Remark]] = defaultdict(list)
    if near_duplicate.CODE in (*settings.drop, *settings.flag):
        found = near_duplicate.find(source, verdicts, steps, goal, settings.near)
        if near_duplicate.CODE in settings.drop and context.decisions.rules.get(near_duplicate.CODE) != "keep":
            verdicts = near_duplicate.merge(verdicts, found)
        else:
            for row, keeper in found.into.items():
                evidence = near_duplicate.evidence(found.similarity[row], names(keeper))
                flags[row].append(Remark(near_duplicate.CODE, evidence))
    kept = int(verdicts.kept.sum())
    by_meaning = _by_meaning(kept, settings, context)
    most = kept if by_meaning["on"] else SAMPLE
    look = Look(read_kept(source, verdicts, steps, goal, most, context.check))
    if by_meaning["on"]:
        look = _measured(look.rows, verdicts.marks.part_rank[look.rows.number] == PART_RANK["test"], context)
        if look.vectors is None:
            by_meaning = {"on": False, "why": "the encoder could not be used"}
    mended = _flag_and_mend(look, verdicts, goal, settings, names, context, flags)
    told = coverage(
        look.rows, kept, choices_of(goal), look.vectors, look.neighbours, look.predicted_unlocked, by_meaning
    )
    write_json(context.folder / FILE, told)
    found_in = {row: tuple(remarks) for row, remarks in flags.items()}
    return replace(verdicts, mended=mended).with_flags(found_in, context.decisions)


def _by_meaning(kept: int, settings: CleanSettings, context: Context) -> dict[str, Any]:
    """Whether rows are compared by their meaning, and if not, why."""
    encoder = context.facts.get("encoder")
    if kept > settings.encoder_rows:
        if encoder is not None:
            context.note(
                f"{kept:,} rows are too many to compare by meaning; set clean.encoder_rows to do it all the same"
            )
        return {"on": False, "why": f"more than {settings.encoder_rows:,} rows (clean.encoder_rows)"}
    if encoder is None:
        asked = settings.encoder == "always"
        why = "the encoder is not here" if asked else "switch it on with clean.encoder: always (84 MB, fetched once)"
        return {"on": False, "why": why}
    return {"on": True, "encoder": encoder["name"]}


def _measured(rows: KeptRows, locked: Bools, context: Context) -> Look:
    """Vectors, nearest neighbours and out-of-fold predictions of the rows; from ``locked`` ones nothing is learned."""
    from threadpoolctl import threadpool_limits

    vectors = vectors_of(rows, context)
    if vectors is None:
        return Look(rows)
    predicted = {}
    with threadpool_limits(1, "blas"):  # its threads spin while they wait: beside a busy process twenty times slower
        neighbours = nearest(vectors, NEIGHBOURS, lambda done: context.check())
        for name, values in rows.targets.items():
            found = out_of_fold.predict(vectors, values, locked, lambda done: context.check())
            if found is not None:
                predicted[name] = found
    return Look(rows, vectors, neighbours, predicted, locked)


def _flag_and_mend(
    look: Look,
    verdicts: Verdicts,
    goal: GoalSheet,
    settings: CleanSettings,
    names: Names,
    context: Context,
    flags: defaultdict[int, list[Remark]],
) -> dict[int, Mended]:
    """Add what the steps by meaning find to the flags; return what is mended."""
    rows = look.rows
    mend = wrong_label.CODE in settings.fix and context.decisions.rules.get(wrong_label.CODE) != "keep"
    mended = _wrong_labels(look, verdicts, goal, settings, mend, flags)
    if same_meaning.SAME in settings.flag and look.neighbours is not None:
        for pair in same_meaning.find(look.neighbours, rows.targets, settings.same_meaning):
            where = names(int(rows.number[pair.other]))
            flags[int(rows.number[pair.row])].append(Remark(pair.code, pair.evidence(rows, where)))
    if far.CODE in settings.flag and look.neighbours is not None:
        for one in far.find(look.neighbours):
            flags[int(rows.number[one.row])].append(Remark(far.CODE, one.evidence))
    return mended


def _wrong_labels(
    look: Look,
    verdicts: Verdicts,
    goal: GoalSheet,
    settings: CleanSettings,
    mend: bool,
    flags: defaultdict[int, list[Remark]],
) -> dict[int, Mended]:
    """Flag labels that look wrong, or mend them where ``mend`` is asked for; not in rows that the user decided to keep.

    Rows of a given test part are never mended: a test that a model has corrected measures that model.
    """
    values: defaultdict[int, dict[str, str]] = defaultdict(dict)
    changes: defaultdict[int, list[Remark]] = defaultdict(list)
    if wrong_label.CODE not in (*settings.flag, *settings.fix):
        return {}
    for name, found in look.predicted.items():
        prefix = f"{name}: " if name != LABEL else ""
        for one in wrong_label.suspicions(found):
            row = int(look.rows.number[one.row])
            if verdicts.marks.wanted[row]:
                continue
            if mend and verdicts.marks.part_rank[row] != PART_RANK["test"]:
                values[row][name] = one.better
                changes[row].append(Remark(wrong_label.CODE, prefix + one.change))
            elif wrong_label.CODE in settings.flag:
                flags[row].append(Remark(wrong_label.CODE, prefix + one.evidence))
    return {row: Mended(values[row], tuple(changes[row]), goal.schema) for row in values}
