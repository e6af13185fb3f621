"""The stage `format`: what the model will see, token by token."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from tunesmith.artifact import write_json
from tunesmith.errors import InputError, raise_all
from tunesmith.events import Pace
from tunesmith.example_parquet import LEDGER, RowWriter
from tunesmith.learners.protocol import Refusal
from tunesmith.plugins import learner_for
from tunesmith.products import BaseModel, CleanSet, GoalSheet
from tunesmith.scoring.measure import TEXT_METRICS
from tunesmith.stages.context import Context
from tunesmith.stages.format.settings import FormatSettings

VERSION = 2

LONGEST_AUTO = 2048
ROWS_NEEDED = 10

ROWS = pa.schema(
    [
        ("id", pa.string()),
        ("tokens", pa.list_(pa.int32())),
        ("trained", pa.list_(pa.bool_())),
        ("label", pa.int32()),
        ("weight", pa.float64()),
        ("prompt_tokens", pa.int32()),
        ("rejected", pa.list_(pa.int32())),
        ("rejected_trained", pa.list_(pa.bool_())),
    ]
)


def run(inputs: Mapping[str, Any], settings: FormatSettings, context: Context) -> dict[str, Any]:
    """Render each example as the model sees it; a row that does not fit is set aside, never cut."""
    goal: GoalSheet = inputs["goal"]
    base: BaseModel = inputs["base"]
    clean: CleanSet = inputs["clean"]
    limit = _limit(settings, base)
    encoder = learner_for(base.kind, goal.input, goal.output).encode.encoder(base, goal, limit)
    total = clean.counts["kept"]
    pace = Pace(total)
    refused: Counter[str] = Counter()
    lengths: Counter[int] = Counter()
    targets = documents = 0
    first_refused = ""
    with (
        RowWriter(context.folder / "rows.parquet", ROWS) as rows,
        RowWriter(context.folder / "set_aside.parquet", LEDGER) as aside,
    ):
        for number, example in enumerate(clean.examples(), 1):
            row = encoder.encode(example)
            if isinstance(row, Refusal):
                refused[row.code] += 1
                evidence = f"{example.source.where}: {row.evidence}"
                first_refused = first_refused or evidence
                aside.write({"id": example.id, "state": "set_aside", "code": row.code, "evidence": evidence})
            else:
                lengths[len(row.tokens)] += 1
                targets += sum(row.trained) or 1
                documents += example.is_document
                rows.write(asdict(row))
            if pace.due():
                context.progress(number, total, "rows", pace.seconds_left(number))
    kept = lengths.total()
    if kept < ROWS_NEEDED:
        why = ", ".join(f"{count} {code}" for code, count in refused.most_common())
        fix = "add examples"
        if refused["too_long"]:
            own = "raise base.context" if base.from_scratch else "choose a base with a longer context"
            longer = "raise format.max_tokens" if limit < base.context else own
            fix = f"shorten the rows, or {longer}"
        raise InputError(
            "too_few_examples",
            f"only {kept} of {total} examples can be shown to {base.name}, and {ROWS_NEEDED} are needed "
            f"({why or 'none were left out'}); the first is {first_refused or 'missing'}",
            "format",
            fix,
        )
    if documents == kept:
        _check_criteria_of_texts(goal)
    facts = {
        "max_tokens": limit,
        "tokens": sum(length * rows for length, rows in lengths.items()),
        "trained_tokens": targets,
        "documents": documents,
        "longest": max(lengths),
        "median": _median(lengths),
    }
    write_json(context.folder / "format.json", facts)
    return {
        "in": total,
        "rows": kept,
        "set_aside": refused.total(),
        "by_code": dict(refused),
        "tokens": facts["tokens"],
    }


def _check_criteria_of_texts(goal: GoalSheet) -> None:
    """Raise InputError for criteria that texts without a question cannot meet: better now than after the training."""
    raise_all(
        [
            InputError(
                "unknown_metric",
                f"{criterion.metric!r} compares answers, and these rows are texts without a question",
                "tunesmith.yaml: goal.success",
                "ask for token_accuracy, or take the criterion out",
            )
            for criterion in goal.success
            if criterion.metric not in TEXT_METRICS
        ]
    )


def _limit(settings: FormatSettings, base: BaseModel) -> int:
    if settings.max_tokens == "auto":
        return base.context if base.from_scratch else min(base.context, LONGEST_AUTO)
    if settings.max_tokens > base.context:
        raise InputError(
            "context_exceeded",
            f"{base.name} sees at most {base.context:,} tokens, and format.max_tokens is {settings.max_tokens:,}",
            "tunesmith.yaml: format.max_tokens",
            f"set at most {base.context}, or auto",
        )
    return settings.max_tokens


def _median(lengths: Counter[int]) -> int:
    half = lengths.total() / 2
    seen = 0
    for length in sorted(lengths):
        seen += lengths[length]
        if seen >= half:
            return length
    return 0
