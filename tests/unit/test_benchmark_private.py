"""The rows of the benchmark of private data hold what they say, and what is found in them stays found."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks.private_data import scored
from benchmarks.private_rows import LOCALES, Row, rows
from tunesmith.privacy.find import find
from tunesmith.privacy.span import KINDS


@pytest.fixture(scope="module")
def corpus() -> list[Row]:
    return rows(4, seed=3)


def test_each_kind_stands_where_the_row_says_in_every_locale(corpus: list[Row]) -> None:
    counts = Counter(row.kind for row in corpus)
    assert set(counts) == {*KINDS, ""}
    assert len(LOCALES) == 10
    assert {kind: n for kind, n in counts.items() if kind and n != 40} == {"national_id": 32}
    assert counts[""] == 320
    assert all(
        row.text[row.start : row.end].strip() == row.text[row.start : row.end] != "" for row in corpus if row.kind
    )
    assert corpus == rows(4, seed=3) != rows(4, seed=4)


def test_nearly_all_are_found_and_nearly_nothing_else(corpus: list[Row]) -> None:
    found = [[(span.kind, span.start, span.end) for span in find(row.text)] for row in corpus]
    overall = {figure.name: figure.value for figure in scored("ours", corpus, found)}
    assert overall["ours, all kinds, recall"] >= 0.97
    assert overall["ours, all kinds, precision"] >= 0.97


def test_the_scores_count_what_is_missed_and_what_is_wrong() -> None:
    corpus = [Row("a@b.de", "email", 0, 6), Row("x a@b.de", "email", 2, 8), Row("12345", "")]
    told = scored("x", corpus, [[("email", 0, 6)], [("email", 3, 8)], [("phone", 0, 5)]])
    values = {figure.name: (figure.value, figure.note) for figure in told}
    assert values["x, email, recall"] == (0.5, "1 of 2")
    assert values["x, email, precision"] == (1.0, "2 of 2")
    assert values["x, all kinds, precision"][1] == "2 of 3"
