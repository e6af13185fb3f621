"""Answers that people corrected: to be added as examples, but never those of test rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from tunesmith.example import Example, digest
from tunesmith.products import ProposedItem, ProposedRow
from tunesmith.similarity.normal_form import normalise
from tunesmith.stages.improve.item import Made, counted


def to_add(
    corrections: Sequence[Mapping[str, str]],
    rows: Mapping[str, Example],
    tested_ids: Collection[str],
    tested_inputs: Collection[str],
) -> list[Made]:
    """Corrected answers: of a row of the data its answer is changed, any other becomes a row of its own.

    Those of test rows (by id, or by the same input) stay out: a model that is taught its test cannot be tested.
    """
    by_input = {normalise(row.input): row for row in rows.values()}
    changed, fresh, tested = [], [], 0
    for one in corrections:
        text = normalise(one["input"])
        if one.get("part") == "test" or one["id"] in tested_ids or text in tested_inputs:
            tested += 1
            continue
        known = rows.get(one["id"]) or by_input.get(text)
        if known is None:
            id = digest("correction", one["input"])
            why, where = one.get("why", "a person's answer"), one.get("where", "reviews")
            messages = one.get("messages", "")
            fresh.append(ProposedRow("add", id, one["input"], "", one["answer"], why, where, messages))
        elif known.answer != one["answer"]:
            why, where = one.get("why", "a person corrected it"), known.source.where
            changed.append(
                ProposedRow("corrected", known.id, known.input, known.answer or "", one["answer"], why, where)
            )
    told = [f"{counted(tested, 'correction')} of test rows stay out: the test part must not be learned."] * bool(tested)
    how = "not known: it depends on what comes in; the next round measures it"
    made = []
    if fresh:
        what = f"Add {counted(len(fresh), 'row')} with answers that people gave"
        made.append(Made(ProposedItem("add", "add", what, tuple(told), None, how, len(fresh)), tuple(fresh)))
    if changed:
        what = f"Change {counted(len(changed), 'answer')} that people corrected"
        item = ProposedItem("corrected", "relabel", what, tuple(told), None, how, len(changed))
        made.append(Made(item, tuple(changed)))
    return made
