"""Checkpoints: whole or absent, verified before use, the last two kept.

A checkpoint is one directory, written under a temporary name, fsynced, hashed in a manifest and
renamed. Tensors are safetensors; nothing is ever unpickled.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunesmith.artifact import fsync, sha256_of, write_json

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer

KEPT = 2
#: The files of a checkpoint that hold tensors.
TENSORS = ("weights", "best", "optimizer", "ledger")


@dataclass(frozen=True)
class Checkpoint:
    """``weights``: what is trained. ``best``: the best step's. ``optimizer`` and ``ledger``: their tensors by name.
    ``state``: step, curve and everything else that is JSON."""

    weights: dict[str, Tensor]
    best: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    ledger: dict[str, Tensor]
    state: dict[str, Any]


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """The optimizer's state as named tensors."""
    import torch

    flat = {}
    for index, entry in optimizer.state_dict()["state"].items():
        for name, value in entry.items():
            flat[f"{index}.{name}"] = torch.as_tensor(value).detach().clone()
    return flat


def load_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put tensors from `optimizer_tensors` back."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def save(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint into ``folder`` and drop all but the last two. Returns its directory.

    Raises OSError (a full disk, say) with the older checkpoints untouched.
    """
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    final = folder / f"step-{checkpoint.state['step']:08d}"
    temporary = folder / f".writing-{os.getpid()}"
    for unfinished in folder.glob(".writing-*"):  # left by a kill; one process at a time trains here
        shutil.rmtree(unfinished, ignore_errors=True)
    try:
        temporary.mkdir()
        for name in TENSORS:
            tensors = {key: value.contiguous() for key, value in getattr(checkpoint, name).items()}
            save_file(tensors, temporary / f"{name}.safetensors")
        (temporary / "state.json").write_text(json.dumps(checkpoint.state), encoding="utf-8")
        hashes = {}
        for path in sorted(temporary.iterdir()):
            hashes[path.name] = sha256_of(path)
            fsync(path)
        write_json(temporary / "manifest.json", hashes)
        if final.exists():
            shutil.rmtree(final)
        temporary.rename(final)
        fsync(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    for old in _directories(folder)[:-KEPT]:
        shutil.rmtree(old)
    return final


def _directories(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("step-*") if path.is_dir())


def is_whole(directory: Path) -> bool:
    """Whether every file of a checkpoint is what was written."""
    try:
        hashes = json.loads((directory / "manifest.json").read_text(encoding="utf-8"))
        return bool(hashes) and all(sha256_of(directory / name) == found for name, found in hashes.items())
    except (OSError, ValueError):
        return False


def newest(folder: Path) -> tuple[Checkpoint | None, list[Path]]:
    """The newest whole checkpoint, or None, and the damaged ones that were passed over."""
    from safetensors.torch import load_file

    damaged = []
    for directory in reversed(_directories(folder)):
        if not is_whole(directory):
            damaged.append(directory)
            continue
        tensors = {name: load_file(directory / f"{name}.safetensors") for name in TENSORS}
        state = json.loads((directory / "state.json").read_text(encoding="utf-8"))
        return Checkpoint(**tensors, state=state), damaged
    return None, damaged
