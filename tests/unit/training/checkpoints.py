"""Short real runs that write a checkpoint each step, and the two that one of them left when it was killed."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from tests.unit.training.tiny import recipe, rows, trainable
from tunesmith.training import checkpoint
from tunesmith.training.checkpoint import TENSORS, Checkpoint
from tunesmith.training.loop import Run
from tunesmith.training.tree_packing import trees

STEPS = 8
#: Steps after which the validation part is measured, besides the last.
VALIDATED = (3, 6)


def make_run(folder: Path, **changes: object) -> Run:
    planned = recipe(40, **{"checkpoint_seconds": 0, "steps": STEPS, "validate_every": VALIDATED[0], **changes})
    return Run(trainable(), rows(40), rows(12, seed=1), partial(trees, budget=200), planned, folder)


def train_until(run: Run, step: int) -> None:
    """Until the checkpoint of this step is written."""
    for told in run:
        if told.kind == "step" and told.data["step"] > step:
            return


def equal(left: Checkpoint, right: Checkpoint) -> bool:
    return left.state == right.state and all(
        getattr(left, name).keys() == getattr(right, name).keys()
        and all(torch.equal(value, getattr(right, name)[key]) for key, value in getattr(left, name).items())
        for name in TENSORS
    )


@dataclass(frozen=True)
class Two:
    """The two checkpoints of a real run, which was killed two steps before its end, and how that run ends."""

    folder: Path
    older: Checkpoint
    newer: Checkpoint
    weights: dict[str, torch.Tensor]
    curve: list[dict[str, object]]

    @property
    def newest(self) -> str:
        return f"step-{self.newer.state['step']:08d}"

    @property
    def before(self) -> str:
        return f"step-{self.older.state['step']:08d}"


def write_two(root: Path) -> Two:
    """Run and kill, and run the same without a kill."""
    train_until(make_run(root / "killed"), STEPS - 2)
    directories = sorted((root / "killed").iterdir())
    assert [path.name for path in directories] == [f"step-{step:08d}" for step in (STEPS - 3, STEPS - 2)]
    newer, _ = checkpoint.newest(root / "killed")
    shutil.copytree(directories[0], root / "older" / directories[0].name)
    older, _ = checkpoint.newest(root / "older")
    assert newer is not None
    assert older is not None
    assert not equal(older, newer)
    whole = make_run(root / "whole")
    list(whole)
    return Two(root / "killed", older, newer, whole.model.trained_state(), whole.state.curve)


def assert_ends_as(run: Run, two: Two) -> None:
    assert run.state.curve == two.curve
    weights = run.model.trained_state()
    assert weights.keys() == two.weights.keys()
    assert [name for name, value in weights.items() if not torch.equal(value, two.weights[name])] == []


def steps_in(folder: Path) -> list[int]:
    return [int(path.name.removeprefix("step-")) for path in sorted(folder.iterdir())]


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
