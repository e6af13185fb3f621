"""Small files that unpack to more than a machine holds: refused in words, in little memory."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.recipes.small_project import environment
from tests.unit.stages.collect_project import PAIRS, CollectProject
from tunesmith.errors import InputError
from tunesmith.stages.collect import parquet_rows
from tunesmith.stages.collect.parquet_pages import pages

MEGABYTE = 1024 * 1024
#: What reading a bomb may take beside the interpreter and its libraries.
ALLOWED = 250 * MEGABYTE

READS = """\
import json, resource, sys
from pathlib import Path
from tunesmith.errors import InputError
from tunesmith.stages.collect.files import DataFile
from tunesmith.stages.collect.reading import open_reading
from tunesmith.stages.collect.settings import SourceSettings

path = Path(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rows, told = 0, None
try:
    source = SourceSettings(path=path.name, input="message", output="reply", **json.loads(sys.argv[2]))
    with open_reading(DataFile(path, path.name, path.stat().st_size, source), "text") as reading:
        for item in reading.items:
            rows += 1
except InputError as error:
    told = [error.code, str(error)]
print(json.dumps([rows, told, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before]))
"""


@pytest.fixture
def project(tmp_path: Path) -> CollectProject:
    return CollectProject(tmp_path)


def read(path: Path, cache: Path, **source: int) -> tuple[int, list[str], int]:
    """Read a file in a process of its own: rows, code and words of what stopped it, and bytes of memory it took."""
    done = subprocess.run(
        [sys.executable, "-c", READS, str(path), json.dumps(source)],
        env=environment(cache),
        capture_output=True,
        text=True,
        check=True,
    )
    rows, told, kilobytes = json.loads(done.stdout)
    return rows, told or [], kilobytes * 1024


def table(rows: int, reply: str) -> pa.Table:
    return pa.table({"message": [f"question {number}" for number in range(rows)], "reply": [reply] * rows})


def test_a_gzip_file_of_a_gigabyte_is_refused_in_little_memory(tmp_path: Path) -> None:
    block = gzip.compress(json.dumps({"message": "x" * MEGABYTE, "reply": "y"}).encode() + b"\n")
    path = tmp_path / "bomb.jsonl.gz"
    path.write_bytes(block * 1000)  # a member a line: 1 GB in 1 MB
    rows, told, taken = read(path, tmp_path)
    assert told[0] == "gzip_too_large"
    assert "max_growth" in told[1]
    assert rows * MEGABYTE < 201 * path.stat().st_size
    assert taken < ALLOWED


def test_a_limit_that_is_raised_lets_a_repetitive_gzip_file_through(tmp_path: Path) -> None:
    lines = (json.dumps({"message": f"{number} " + "x" * 400_000, "reply": "y"}) + "\n" for number in range(250))
    path = tmp_path / "same.jsonl.gz"
    path.write_bytes(gzip.compress("".join(lines).encode()))
    assert read(path, tmp_path)[1][0] == "gzip_too_large"
    rows, told, taken = read(path, tmp_path, max_growth=2000)
    assert (rows, told) == (250, [])
    assert taken < ALLOWED


def test_a_page_that_is_too_large_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    """One page holds many megabytes of one letter, packed into a few kilobytes."""
    path = tmp_path / "bomb.parquet"
    rows = pa.table({"message": ["x" * 200 * MEGABYTE, "y"], "reply": ["a", "b"]})
    pq.write_table(rows, path, compression="zstd", use_dictionary=False, write_statistics=False)
    assert path.stat().st_size < MEGABYTE
    found, told, taken = read(path, tmp_path, max_page_mb=150)
    assert (found, told[0]) == (0, "parquet_too_large")
    assert "a page unpacks to 200 MB (column 'message', rows of group 1)" in told[1]
    assert "`max_page_mb: 201`" in told[1]
    assert taken < 100 * MEGABYTE


def test_one_long_cell_that_a_million_rows_share_is_refused_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "shared.parquet"
    shared = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000, pa.int32()), pa.array(["x" * 10 * MEGABYTE]))
    rows = pa.table({"message": shared, "reply": ["a"] * 100_000})
    pq.write_table(rows, path, dictionary_pagesize_limit=64 * MEGABYTE)
    assert path.stat().st_size < 20 * MEGABYTE
    _, told, taken = read(path, tmp_path, max_growth=20)
    assert told[0] == "parquet_too_large"
    assert "20 times its size" in told[1]
    assert taken < 400 * MEGABYTE


def test_lists_of_more_values_than_fit_are_refused(project: CollectProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_rows, "MOST_IN_LISTS", 50_000)
    plain = pa.table({"message": [message for message, _ in PAIRS], "reply": [reply for _, reply in PAIRS]})
    for name, length in (("few", 10), ("many", 5000)):
        pq.write_table(plain.append_column("more", pa.array([[0] * length] * 12)), project.folder / f"{name}.parquet")
    assert project.collect({"path": "few.parquet", "input": "message", "output": "reply"}).pairs == PAIRS
    [fault] = project.faults({"path": "many.parquet", "input": "message", "output": "reply"})
    assert fault.code == "parquet_too_large"
    assert "50,000 values" in fault.what


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd", "gzip"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_page_headers_are_read_as_they_were_written(tmp_path: Path, compression: str, version: str) -> None:
    rows = 50_000
    written = table(rows, "the same").append_column("many", pa.array([[1, 2, 3]] * rows))
    path = tmp_path / "a.parquet"
    pq.write_table(written, path, compression=compression, data_page_version=version, row_group_size=20_000)
    with path.open("rb") as file, pq.ParquetFile(path) as parquet:
        found = list(pages(file, parquet))
        for group in range(parquet.metadata.num_row_groups):
            for number in range(parquet.metadata.num_columns):
                chunk = parquet.metadata.row_group(group).column(number)
                here = [page for page in found if (page.group, page.column) == (group, chunk.path_in_schema)]
                assert 0 < sum(page.unpacked for page in here) <= chunk.total_uncompressed_size
                assert sum(page.values for page in here if not page.is_dictionary) == chunk.num_values
                assert [page.is_nested for page in here] == ["many" in chunk.path_in_schema] * len(here)
    assert {page.group for page in found} == {0, 1, 2}


def test_damage_to_any_page_header_is_told_as_damage(project: CollectProject) -> None:
    pq.write_table(table(200, "fine"), project.folder / "a.parquet")
    whole = (project.folder / "a.parquet").read_bytes()
    with pq.ParquetFile(project.folder / "a.parquet") as parquet:
        chunk = parquet.metadata.row_group(0).column(0)
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    told = []
    for place in range(start, start + 24):
        for byte in (0x00, 0x7F, 0xFF):
            project.put("a.parquet", whole[:place] + bytes([byte]) + whole[place + 1 :])
            try:
                made = project.collect({"path": "a.parquet", "input": "message", "output": "reply"})
            except InputError as error:
                told.append(error.code)
            else:
                assert made.counts["rows"] == 200
    assert set(told) <= {"damaged_parquet", "parquet_too_large"}
    assert len(told) > 10
