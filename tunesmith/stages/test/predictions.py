"""predictions.parquet: one row a test row, one struct a candidate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from tunesmith.example import Example
from tunesmith.example_parquet import RowWriter
from tunesmith.stages.test.scored import Scored

_CANDIDATE = pa.struct(
    [
        ("answer", pa.string()),
        ("score", pa.float64()),  # of this row, 0 to 1: accuracy, field_f1 or rouge_l
        ("confidence", pa.float64()),
        ("tokens", pa.int64()),
        ("finished", pa.bool_()),
    ]
)


def write_predictions(
    path: Path, rows: Sequence[Example], references: Sequence[str], scored: Mapping[str, Scored]
) -> None:
    """Write id, input, reference, and each candidate's answer, score, confidence, tokens, finished."""
    texts = [(name, pa.string()) for name in ("id", "input", "reference")]
    schema = pa.schema([*texts, *((name, _CANDIDATE) for name in scored)])
    with RowWriter(path, schema) as writer:
        for index, row in enumerate(rows):
            line = {"id": row.id, "input": row.input, "reference": references[index]}
            writer.write(line | {name: _struct(one, index) for name, one in scored.items()})


def _struct(scored: Scored, index: int) -> dict[str, object]:
    answer = scored.answers[index]
    return {
        "answer": answer.text,
        "score": float(scored.by_row[index]),
        "confidence": float(answer.confidence),
        "tokens": answer.tokens,
        "finished": answer.finished,
    }
