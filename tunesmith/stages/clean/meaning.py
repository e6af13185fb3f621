"""What the kept rows mean, as vectors: made once for each text, and found again in the last clean set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from tunesmith.base_folder import verify
from tunesmith.errors import InputError
from tunesmith.events import Pace
from tunesmith.similarity.embeddings import Vectors
from tunesmith.similarity.normal_form import fingerprint
from tunesmith.stages.clean.kept_rows import KeptRows
from tunesmith.stages.context import Context

#: One line a row: its id, the fingerprint of its text, and its vector in float16.
FILE = "embeddings.parquet"
_ENCODER = b"tunesmith.encoder"
_ROWS_AT_ONCE = 8192


def vectors_of(rows: KeptRows, context: Context) -> Vectors | None:
    """The unit vector of each row's input ``[rows, dimensions]``, kept in the stage's folder for the next run.

    None where the encoder cannot be used here, which is told in a note.
    """
    encoder = context.facts["encoder"]
    keys = [fingerprint(text) for text in rows.given]
    known, old = _earlier(context.facts.get("earlier_clean"), encoder["sha256"])
    fresh = [at for at, key in enumerate(dict.fromkeys(keys)) if key not in known]
    unique = list(dict.fromkeys(keys))
    text_of = dict(zip(keys, rows.given, strict=True))
    made = _embed([text_of[unique[at]] for at in fresh], encoder, context) if fresh else None
    if fresh and made is None:
        return None
    place = {unique[at]: number for number, at in enumerate(fresh)}
    parts = [made[place[key]] if key in place and made is not None else old[known[key]] for key in keys]
    vectors: Vectors = np.stack(parts) if parts else np.zeros((0, 1), np.float16)
    _write(context.folder / FILE, rows.id, keys, vectors, encoder["sha256"])
    return vectors


def _embed(texts: Sequence[str], encoder: dict[str, Any], context: Context) -> Vectors | None:
    pace = Pace(len(texts))

    def tell(done: int, total: int) -> None:
        context.check()
        if pace.due() or done == total:
            context.progress(done, total, "rows by meaning", pace.seconds_left(done))

    from tunesmith.similarity.embeddings import embed

    try:
        verify(encoder["folder"], full=True)
        return embed(texts, encoder["folder"], tell)
    except (InputError, OSError, ImportError, ValueError) as error:
        why = error.what if isinstance(error, InputError) else str(error)
        context.note(f"rows are not looked at by their meaning: the encoder cannot be used ({why})")
        return None


def _earlier(folder: Path | None, sha256: str) -> tuple[dict[bytes, int], npt.NDArray[np.float16]]:
    """The vectors of the last clean set by the fingerprints of their texts; none by another encoder."""
    nothing: tuple[dict[bytes, int], npt.NDArray[np.float16]] = {}, np.zeros((0, 1), np.float16)
    if folder is None or not (folder / FILE).exists():
        return nothing
    try:
        table = pq.read_table(folder / FILE, columns=["text", "vector"])
    except (pa.ArrowException, OSError):  # made again
        return nothing
    if (table.schema.metadata or {}).get(_ENCODER) != sha256.encode() or not table.num_rows:
        return nothing
    vectors = np.stack([np.frombuffer(value, np.float16) for value in table["vector"].to_pylist()])
    return {key: row for row, key in enumerate(table["text"].to_pylist())}, vectors


def _write(path: Path, ids: Sequence[str], keys: Sequence[bytes], vectors: Vectors, sha256: str) -> None:
    schema = pa.schema(
        [("id", pa.string()), ("text", pa.binary(16)), ("vector", pa.binary(2 * vectors.shape[1]))],
        metadata={_ENCODER: sha256.encode()},
    )
    with pq.ParquetWriter(path, schema, compression="none") as writer:
        for start in range(0, len(ids), _ROWS_AT_ONCE):
            part = slice(start, start + _ROWS_AT_ONCE)
            packed = [vector.tobytes() for vector in vectors[part]]
            columns = {"id": list(ids[part]), "text": list(keys[part]), "vector": packed}
            writer.write_table(pa.table(columns, schema=schema))
