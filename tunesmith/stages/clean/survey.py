"""A look at the whole set before its rows are judged: what is usual there. At most 20,000 rows, evenly spread."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tunesmith.artifact import write_json
from tunesmith.example import Example
from tunesmith.example_parquet import ROWS_PER_GROUP, example_from_row
from tunesmith.products import SURVEY_FILE, UnevenFormat

#: Enough to know a share to within half a percent.
MOST_ROWS = 20_000


def spread(source: Path, rows: int, most: int = MOST_ROWS) -> Iterator[Example]:
    """At most ``most`` of the ``rows`` examples of the file, evenly spread over it: the same ones each time."""
    start, taken, wanted = 0, 0, min(rows, most)
    with pq.ParquetFile(source) as file:
        for batch in file.iter_batches(batch_size=ROWS_PER_GROUP):
            places = []
            while taken < wanted and (place := taken * rows // wanted) < start + batch.num_rows:
                places.append(place - start)
                taken += 1
            yield from map(example_from_row, batch.take(pa.array(places, pa.int64())).to_pylist())
            start += batch.num_rows


def write_survey(folder: Path, rows: int, uneven: list[UnevenFormat]) -> None:
    """Keep what the survey showed beside the clean set."""
    looked_at = min(rows, MOST_ROWS)
    write_json(folder / SURVEY_FILE, {"rows": rows, "looked_at": looked_at, "uneven": [asdict(one) for one in uneven]})
