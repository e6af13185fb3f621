"""The stage `improve`: what to do next, and what it should bring. It reads, and edits nothing.

The rows of the test part are never proposed as examples: the report's errors tell which cases are missing, and the
stage is not given the part itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa

from tunesmith import plugins
from tunesmith.answering.confidence import sure_of_choices
from tunesmith.artifact import for_owner, write_json
from tunesmith.events import Pace
from tunesmith.example import Example
from tunesmith.example_parquet import RowWriter
from tunesmith.learners.protocol import Prediction
from tunesmith.products import BaseModel, CleanSet, Gain, GoalSheet, ProposedRow, Report, Splits, TunedModel
from tunesmith.similarity.embeddings import Vectors
from tunesmith.similarity.normal_form import normalise
from tunesmith.stages.context import Context
from tunesmith.stages.improve.better_settings import to_set
from tunesmith.stages.improve.corrected import to_add
from tunesmith.stages.improve.item import Made
from tunesmith.stages.improve.missing import to_collect
from tunesmith.stages.improve.pool import Pool, PoolRow, read_pool, to_label, with_requests
from tunesmith.stages.improve.quick_gain import quick_classifier
from tunesmith.stages.improve.settings import ImproveSettings
from tunesmith.stages.improve.suspicious import to_relabel, to_remove

VERSION = 1
#: Numbers of a text's vector where no encoder is at hand.
HASHED = 1024
_ROWS = pa.schema([(name, pa.string()) for name in ProposedRow.__dataclass_fields__])


def run(
    inputs: Mapping[str, Any],
    settings: ImproveSettings,
    context: Context,
    *,
    find_learner: Callable[[str], Any] = plugins.learner,
) -> dict[str, Any]:
    """Write proposal.json and rows.parquet. ``find_learner`` gives the learner by its name."""
    goal: GoalSheet = inputs["goal"]
    clean: CleanSet = inputs["clean"]
    split: Splits = inputs["split"]
    tuned: TunedModel = inputs["train"]
    report: Report = inputs["test"]
    parts = {part: split.ids(part) for part in ("train", "validation")}  # type: ignore[arg-type]
    own = frozenset(id for ids in parts.values() for id in ids)
    rows = {row.id: row for row in clean.examples(own)}
    quick = quick_classifier(rows, parts["train"], parts["validation"], clean)
    ask = _asker(inputs, find_learner(tuned.learner), context)
    tested = list(report.predictions())
    tested_inputs = frozenset(normalise(row["input"]) for row in tested)
    made = [
        *to_relabel(rows, clean, tuned, goal, context.decisions, settings.hardest, ask, quick),
        *to_remove(rows, clean, goal, context.decisions, quick),
        *to_add(context.facts.get("corrections", ()), rows, frozenset(row["id"] for row in tested), tested_inputs),
    ]
    pool = Pool([])
    requests = context.facts.get("requests", ())
    if settings.pool or requests:
        known = tested_inputs | {normalise(row.input) for row in rows.values()}
        files = read_pool(settings.pool, context.project, settings.input, known)
        pool = _showable(with_requests(files, requests, known), inputs, find_learner)
        labelled = [rows[id].input for id in parts["train"] if id in rows]
        embed, gain = _embedder(inputs["base"], context), _gain_of_more(clean, len(parts["train"]))
        made += to_label(pool, settings.choose, ask, embed, labelled, gain, context.seed)
    made += [*to_collect(report, clean, goal), *to_set(tuned)]
    facts = {
        "test_rows": len(tested),
        "rows_looked_at": len(rows),
        "pool": len(pool.rows),
        "metric": report.facts["row_metric"],
    }
    _write(made, facts, context)
    kinds = [one.item.kind for one in made]
    return {"items": len(made), **{kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}}


def _write(made: Sequence[Made], facts: Mapping[str, Any], context: Context) -> None:
    write_json(context.folder / "proposal.json", {"items": [asdict(one.item) for one in made], "facts": facts})
    # the pool's rows are as they came, with what is private in them
    with RowWriter(for_owner(context.folder / "rows.parquet"), _ROWS) as writer:
        for one in made:
            for row in one.rows:
                writer.write(asdict(row))


def _asker(
    inputs: Mapping[str, Any], learner: Any, context: Context
) -> Callable[[Sequence[Example]], list[Prediction]]:
    """What the tuned model answers to rows."""
    limit = inputs["test"].facts.get("max_new_tokens") or 1

    def ask(rows: Sequence[Example]) -> list[Prediction]:
        pace = Pace(len(rows))

        def tell(done: int, total: int) -> None:
            context.check()
            if pace.due():
                context.progress(done, total, "answers", pace.seconds_left(done))

        prompts = [row.prompt for row in rows]
        goal, base, tuned = inputs["goal"], inputs["base"], inputs["train"]
        given = learner.predict.predict("tuned", base, goal, tuned, prompts, max_new_tokens=limit, on_progress=tell)
        return sure_of_choices(goal, given)

    return ask


def _showable(pool: Pool, inputs: Mapping[str, Any], find_learner: Callable[[str], Any]) -> Pool:
    """The pool without rows that the model cannot be shown, such as those that are too long for it."""
    goal, base, dataset = inputs["goal"], inputs["base"], inputs["format"]
    encoder = find_learner(inputs["train"].learner).encode.encoder(base, goal, dataset.facts["max_tokens"])
    answer = goal.labels[0] if goal.labels else "{}" if goal.output == "json" else "-"

    def fits(row: PoolRow) -> bool:
        return not hasattr(encoder.encode(row.example(answer)), "evidence")  # a Refusal says why not

    rows = [row for row in pool.rows if fits(row)]
    return Pool(rows, pool.known, pool.empty + len(pool.rows) - len(rows))


def _embedder(base: BaseModel, context: Context) -> Callable[[Sequence[str]], Vectors]:
    """Vectors of texts: by the base where it is an encoder, else by the one that `clean` knows; by their letters
    where there is none."""
    encoder = context.facts.get("encoder")
    folder = base.folder if base.kind == "encoder" and not base.from_scratch else encoder and encoder["folder"]
    if not folder:
        context.note("no encoder is at hand: rows of the pool are told apart by their letters, not by their meaning")
        return _hashed

    def embed(texts: Sequence[str]) -> Vectors:
        from tunesmith.similarity.embeddings import embed

        pace = Pace(len(texts))

        def tell(done: int, total: int) -> None:
            context.check()
            if pace.due():
                context.progress(done, total, "rows by meaning", pace.seconds_left(done))

        return embed(texts, folder, tell)

    return embed


def _hashed(texts: Sequence[str]) -> Vectors:
    """Unit vectors ``[texts, HASHED]`` of the texts' pieces of three to five letters."""
    from sklearn.feature_extraction.text import HashingVectorizer

    pieces = HashingVectorizer(n_features=HASHED, analyzer="char_wb", ngram_range=(3, 5))
    found: Vectors = pieces.transform(texts).toarray().astype(np.float16)
    return found


def _gain_of_more(clean: CleanSet, train: int) -> Callable[[int], tuple[Gain | None, str]]:
    """What so many more labelled rows should bring, by the curve that `clean` measured: as much at each doubling."""
    enough = (clean.coverage() or {}).get("enough") or {}

    def gain(more: int) -> tuple[Gain | None, str]:
        if "target" not in enough or not train:
            return None, "not known: no curve was measured; the next round measures it"
        share, rise = math.log2(1 + more / train), enough["gain"]
        how = (
            f"{more:,} more rows at random, if each doubling brings what the last did: all rows brought a quick "
            f"classifier {100 * rise['value']:+.1f} points over half of them ({rise['n']:,} rows); chosen rows mostly "
            "bring more"
        )
        return Gain(share * rise["value"], share * rise["low"], share * rise["high"]), how

    return gain
