"""`tunesmith show train`: steps that were skipped, and models that are older than the ledger of examples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tunesmith.example import Example, Message, Source, make_example
from tunesmith.example_parquet import TRAINED, ExampleWriter, RowWriter
from tunesmith.products import CleanSet, TunedModel

Command = Callable[..., Any]
FACTS = {
    "rows": 2,
    "validation_rows": 1,
    "parameters_trained": 10,
    "steps": 3,
    "best_step": 2,
    "stopped_early": False,
    "seconds": 2.0,
    "peak_memory_bytes": 1_000_000,
    "refit_steps": 0,
}


@pytest.fixture
def examples(project: Any, tmp_path: Path) -> list[Example]:
    found = [
        make_example([Message.of("user", f"question {row}"), Message.of("assistant", "yes")], Source("a.csv", row))
        for row in (1, 2)
    ]
    with ExampleWriter(tmp_path / "examples.parquet") as writer:
        for example in found:
            writer.add(example)
    project.products["clean"] = CleanSet(tmp_path, {})
    return found


def tuned(project: Any, folder: Path, **facts: Any) -> None:
    folder.mkdir()
    verdict = {"code": "learned", "words": "The model learned.", "try": ""}
    project.products["train"] = TunedModel(folder / "model", "causal_lm", {}, (), verdict, {**FACTS, **facts})


def write_ledger(folder: Path, examples: list[Example]) -> None:
    with RowWriter(folder / "examples.parquet", TRAINED) as writer:
        for example in examples:
            writer.write({"id": example.id, "steps": [1], "times_kept": 1, "loss": 0.5})


def test_skipped_steps_are_told_of_the_run_and_of_each_example(
    project: Any, command: Command, tmp_path: Path, examples: list[Example]
) -> None:
    skipped = [
        {"step": 2, "ids": [examples[0].id], "why": "the loss was nan"},
        {"step": 3, "ids": [examples[1].id], "why": "the gradient's norm was inf"},
    ]
    tuned(project, tmp_path / "trained", skipped=skipped, refit_skipped=[])
    write_ledger(tmp_path / "trained", examples)
    told = command("show", "train").out
    assert "2 of the steps changed nothing (step 2: the loss was nan; step 3: the gradient's norm was inf)" in told
    told = command("show", "train", "--example", examples[1].id).out
    assert "step 3, since the gradient's norm was inf" in told
    assert "step 2" not in told


def test_of_many_skipped_steps_the_first_are_told_and_the_rest_counted(
    project: Any, command: Command, tmp_path: Path, examples: list[Example]
) -> None:
    skipped = [{"step": step, "ids": []} for step in range(1, 10)]  # as versions before this one wrote them
    tuned(project, tmp_path / "trained", skipped=skipped)
    write_ledger(tmp_path / "trained", examples)
    told = command("show", "train").out
    assert "9 of the steps changed nothing (step 1: its loss or gradient was not finite;" in told
    assert "step 5: its loss or gradient was not finite; and 4 more)" in told


def test_after_a_refit_an_example_is_told_of_the_training_that_made_the_weights(
    project: Any, command: Command, tmp_path: Path, examples: list[Example]
) -> None:
    first, again = ({"step": step, "ids": [examples[0].id], "why": "the loss was nan"} for step in (1, 2))
    tuned(project, tmp_path / "trained", refit_steps=3, skipped=[first], refit_skipped=[again])
    write_ledger(tmp_path / "trained", examples)
    assert "2 of the steps changed nothing" in command("show", "train").out
    told = command("show", "train", "--example", examples[0].id).out
    assert "step 2, since" in told
    assert "step 1, since" not in told


def test_a_model_from_before_the_ledger_is_shown_and_the_missing_ledger_is_told_plainly(
    project: Any, command: Command, tmp_path: Path, examples: list[Example]
) -> None:
    tuned(project, tmp_path / "trained", skipped=[])
    told = command("show", "train")
    assert told.code == 0
    assert "The model learned." in told.out
    words = "this model was trained before Tunesmith kept a ledger of which example was trained when"
    assert words in " ".join(told.out.split())
    assert "damaged" not in told.out
    refused = command("show", "train", "--example", examples[0].id)
    assert refused.code == 2
    assert f"{words} [no_ledger]" in refused.err
    assert "`tunesmith train` trains it again" in refused.err
