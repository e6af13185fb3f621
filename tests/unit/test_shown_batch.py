"""`tunesmith format --show`: the batch that is shown is the one that the first training step computes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tunesmith import Project
from tunesmith.products import BaseModel
from tunesmith.training.recipe import choose
from tunesmith.training.sampler import Sampler
from tunesmith.training.tree_packing import trees

LABELS = ("billing", "delivery")


def project(folder: Path, output: str, base: str, **train: object) -> Project:
    """Twenty questions in two shapes, made as far as format."""
    folder.mkdir()
    rows = [
        {
            "text": f"Please tell me where order number {n} is." if n % 2 else f"I paid twice for {n} tents.",
            "answer": LABELS[n % 2],
        }
        for n in range(20)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = {
        "version": 1,
        "name": "shown",
        "goal": {"input": "text", "output": output, "system": "Sort the text."},
        "base": {"model": base},
        "clean": {"drop": ["duplicate"]},
        "split": {"near": 1.0},  # the two shapes are near-duplicates of themselves
        "collect": [{"path": "rows.jsonl", "input": "text", "output": "answer"}],
        "train": train,
    }
    (folder / "tunesmith.yaml").write_text(json.dumps(settings))  # JSON is YAML
    return Project.open(folder)


@pytest.fixture
def cache(bases_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUNESMITH_CACHE", str(bases_cache))
    return bases_cache


def test_the_tree_shown_is_that_of_the_first_step(tmp_path: Path, cache: Path, smollm2: BaseModel) -> None:
    made = project(tmp_path / "p", "text", "smollm2-135m-instruct", batch_size=6)
    made.run(to="format")
    before = made.show_batch()
    assert (before.split, before.rows, before.pairs) == (False, 6, False)
    made.run(to="split")
    shown = made.show_batch()
    dataset, ids = made.product("format"), made.product("split").ids("train")
    by_id = {row.id: row for row in dataset.rows()}
    rows = [by_id[id] for id in ids]
    recipe = choose(made.settings.train, "causal_lm", rows, made.settings.seed)
    drawn = Sampler(rows, 6, recipe.seed).step(0)
    packed = trees(drawn, recipe.token_budget, recipe.workers)
    assert shown.split
    assert shown.tokens == sum(len(row.tokens) for row in drawn)
    assert shown.computed == sum(len(tree.tokens) for tree in packed) < shown.tokens
    assert [sum(branch.computed for branch in tree) for tree in shown.trees] == [len(tree.tokens) for tree in packed]
    first = shown.trees[0][0]
    assert first.rows == len(packed[0].ids)
    assert first.pieces[0][0].startswith("<|im_start|>system\nSort the text.<|im_end|>\n<|im_start|>user\n")
    trained = "".join(
        text for tree in shown.trees for branch in tree for text, is_trained in branch.pieces if is_trained
    )
    assert trained.count("<|im_end|>") == 6
    assert made.show_batch(["train.batch_size=3"]).rows == 3


def test_an_encoders_batch_has_no_tree(tmp_path: Path, cache: Path, minilm: BaseModel) -> None:
    made = project(tmp_path / "p", "label", "all-minilm-l6-v2", batch_size=6)
    made.run(to="format")
    shown = made.show_batch()
    assert (shown.rows, shown.trees) == (6, [])
    assert shown.computed >= shown.tokens > 0
