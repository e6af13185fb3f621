"""Predict every official test row with a project's tuned model, and tell what the product made of these rows.

``python -m benchmarks.official_test PROJECT TEST.csv`` prints one JSON object.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.banking77 import read
from tunesmith import Project
from tunesmith.example import Message, Score
from tunesmith.example_parquet import read_rows
from tunesmith.plugins import learner
from tunesmith.scoring.intervals import wilson
from tunesmith.threads import be_patient


def main(folder: Path, test: Path) -> dict[str, Any]:
    """Scores over all rows of the file and over the product's test part; rows taken out by reason."""
    be_patient()
    project = Project.open(folder)
    split, report = project.product("split"), project.product("test")
    test_out, other_out = taken_out(project)
    [part] = [score for score in report.scores["tuned"] if score.metric == "accuracy"]
    return {
        "all": asdict(accuracy(project, read(test))),
        "part": asdict(part),
        "test_rows_out": test_out,
        "other_rows_out": other_out,
        "trained": len(split.ids("train")),
        "validation": len(split.ids("validation")),
    }


def accuracy(project: Project, rows: list[tuple[str, str]]) -> Score:
    """The tuned model's accuracy over rows of (text, category), with Wilson's 95% interval."""
    goal, base, tuned = (project.product(stage) for stage in ("goal", "base", "train"))
    prompts = [(Message.of("user", text),) for text, _ in rows]
    answers = learner(tuned.learner).predict.predict("tuned", base, goal, tuned, prompts)
    right = sum(answer.text == category for answer, (_, category) in zip(answers, rows, strict=True))
    return Score("accuracy", right / len(rows), len(rows), *wilson(right, len(rows)))


def taken_out(project: Project) -> tuple[dict[str, int], dict[str, int]]:
    """Rows that clean, format or split took out, by reason: those of the official test part, and the others."""
    clean, dataset, split = (project.product(stage) for stage in ("clean", "format", "split"))
    part_of = {
        row["id"]: row["part"]
        for name in ("examples", "merged", "set_aside")
        for row in read_rows(clean.path / f"{name}.parquet", ["id", "part"])
    }
    test: Counter[str] = Counter()
    others: Counter[str] = Counter()
    for line in [*clean.ledger(), *dataset.set_aside()]:
        if line.state in ("merged", "set_aside"):
            reason = line.code
            if line.into is not None:
                reason += " of a test row" if part_of[line.into] == "test" else " of a training row"
            (test if part_of[line.id] == "test" else others)[reason] += 1
    for row in read_rows(split.path / "left_out.parquet"):
        (test if part_of[row["id"]] == "test" else others)[row["reason"]] += 1
    return dict(test), dict(others)


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]))))
