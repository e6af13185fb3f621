"""`tunesmith show clean`: how much of the goal the examples cover."""

from __future__ import annotations

import io

import numpy as np

from tunesmith.cli.coverage import show_coverage
from tunesmith.cli.screen import Screen
from tunesmith.stages.clean.coverage import coverage
from tunesmith.stages.clean.kept_rows import KeptRows
from tunesmith.stages.clean.out_of_fold import OutOfFold


def told(rows: KeptRows, kept: int, **more: object) -> str:
    values = {"vectors": None, "neighbours": None, "found": {}, "by_meaning": {"on": False, "why": "too many"}, **more}
    file = io.StringIO()
    show_coverage(coverage(rows, kept, {"": ("bill", "card", "loan")}, **values), {}, Screen(file=file))  # type: ignore[arg-type]
    return file.getvalue()


def rows(number: int = 40) -> KeptRows:
    values = ["bill" if at % 4 else "card" for at in range(number)]
    texts = [f"Where is number {at}?" for at in range(number)]
    return KeptRows(np.arange(number), [f"id{at}" for at in range(number)], texts, values, {"": values})


def test_it_tells_what_there_is_what_is_missing_and_why_more_was_not_looked_at():
    out = told(rows(), 400)
    for words in (
        "Coverage of 400 rows, told from 40 rows",
        "bill 30, card 10, loan 0",
        "not compared by meaning: too many",
    ):
        assert words in out
    assert "Examples of loan: no row has it as the label." in out
    assert "Words of the answer" not in out


def test_it_tells_figures_with_their_intervals():
    labels = np.arange(40) % 2
    right = np.where(np.arange(40) < 36, labels, 1 - labels)
    probabilities = np.where(np.eye(2)[right] > 0, 0.9, 0.1)
    found = {"": OutOfFold(np.arange(40), ("bill", "card"), labels, probabilities, labels == right)}
    out = told(rows(), 40, found=found, by_meaning={"on": True, "encoder": "x"})
    assert "Enough to begin: a quick classifier gets the label right for 90% of rows" in out
    assert "(95% interval 77% to 96%; always the commonest: 50%)" in out
    assert "Easy by label: 36 of 40." in out
    assert "not compared" not in out
