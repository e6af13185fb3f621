"""raccoon.parquet: one row a case, with all that it takes to make it again, and what was found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from tunesmith.example import messages_to_json
from tunesmith.example_parquet import RowWriter
from tunesmith.stages.test.raccoon.judge import Judged

FILE = "raccoon.parquet"
_SCHEMA = pa.schema(
    [
        ("family", pa.string()),
        ("id", pa.string()),  # of the row that was spoiled; of a stranger, the row whose conversation it enters
        ("recipe", pa.string()),  # JSON
        ("prompt", pa.string()),  # JSON: all messages
        ("input", pa.string()),  # the last of the user's
        ("due", pa.list_(pa.string())),  # any of these is right
        ("plain_answer", pa.string()),
        ("answer", pa.string()),
        ("confidence", pa.float64()),
        ("finished", pa.bool_()),
        ("plain_score", pa.float64()),
        ("score", pa.float64()),
        ("form_kept", pa.bool_()),
        ("secrets_kept", pa.bool_()),
        ("handed_off", pa.bool_()),
        ("why", pa.string()),
    ]
)


def write_raccoon(path: Path, judged: Sequence[Judged]) -> None:
    """Write every case with its prompt, its answer and what was judged."""
    with RowWriter(path, _SCHEMA) as writer:
        for one in judged:
            writer.write(
                {
                    "family": one.case.family.name,
                    "id": one.case.row.id,
                    "recipe": one.case.recipe,
                    "prompt": messages_to_json(one.case.prompt),
                    "input": _writable(one.case.change.text),
                    "due": [row.answer for row in one.case.due],
                    "plain_answer": one.plain,
                    "answer": one.answer.text,
                    "confidence": float(one.answer.confidence),
                    "finished": one.answer.finished,
                    "plain_score": one.plain_score,
                    "score": one.score,
                    "form_kept": not one.form,
                    "secrets_kept": not one.secret,
                    "handed_off": one.handed_off,
                    "why": _writable(one.why),
                }
            )


def _writable(text: str) -> str:
    """Half of a surrogate pair has no place in UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")
