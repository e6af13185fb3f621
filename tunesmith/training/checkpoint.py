"""Checkpoints: whole or absent, verified before use, the last two kept, each with the best step's weights.

A checkpoint is one directory, written under a temporary name, fsynced, hashed in a manifest and
renamed. Tensors are safetensors; nothing is ever unpickled. Names that begin with a dot are unfinished
or given up: no reader takes them, and the next save removes them.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunesmith.artifact import fsync, make_folder, sha256_of, write_json
from tunesmith.errors import TunesmithError

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer

KEPT = 2
#: The files of a checkpoint that hold tensors.
TENSORS = ("weights", "best", "optimizer", "ledger")
STATE = "state.json"
MANIFEST = "manifest.json"
FILES = frozenset({STATE, *(f"{name}.safetensors" for name in TENSORS)})


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
    """The optimizer's state as named tensors, which are its own and not copies."""
    import torch

    flat = {}
    for index, entry in optimizer.state_dict()["state"].items():
        for name, value in entry.items():
            flat[f"{index}.{name}"] = torch.as_tensor(value).detach()
    return flat


def load_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put tensors from `optimizer_tensors` back."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def size_of(checkpoint: Checkpoint) -> int:
    """About how many bytes a checkpoint takes on disk: its tensors and its state, without their headers."""
    size = len(json.dumps(checkpoint.state))
    for name in TENSORS:
        size += sum(tensor.numel() * tensor.element_size() for tensor in getattr(checkpoint, name).values())
    return size


def save(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint into ``folder`` and drop all but the last two. Returns its directory.

    A whole one of the same step stays as it is: what a step ends with follows from the run alone. Raises
    OSError or SafetensorError (a full disk, say) with the older checkpoints untouched and nothing half-written.
    """
    make_folder(folder)
    for left in (*folder.glob(".writing-*"), *folder.glob(".dropped-*")):  # by a kill: one process at a time trains
        shutil.rmtree(left, ignore_errors=True)
    final = folder / f"step-{checkpoint.state['step']:08d}"
    if not is_whole(final):
        _put(checkpoint, folder / f".writing-{os.getpid()}", final)
    for superseded in _superseded(folder, final):
        _drop(superseded)
    return final


def _put(checkpoint: Checkpoint, temporary: Path, final: Path) -> None:
    """Write a checkpoint under a temporary name, then give it its own."""
    try:
        _write(temporary, checkpoint)
        if final.exists():  # a damaged one, passed over when the run went on
            _drop(final)
        temporary.rename(final)
        fsync(final.parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _write(directory: Path, checkpoint: Checkpoint) -> None:
    """Write every file of a checkpoint, with the manifest last, all on disk when this returns."""
    from safetensors.torch import save_file

    directory.mkdir()
    for name in TENSORS:
        tensors = {key: value.contiguous() for key, value in getattr(checkpoint, name).items()}
        save_file(tensors, directory / f"{name}.safetensors")
    (directory / STATE).write_text(json.dumps(checkpoint.state), encoding="utf-8")
    hashes = {}
    for path in sorted(directory.iterdir()):
        hashes[path.name] = sha256_of(path)
        fsync(path)
    write_json(directory / MANIFEST, hashes)


def _superseded(folder: Path, latest: Path) -> list[Path]:
    """What goes once ``latest`` is in its place: all but it and the one before, which was verified or written here.

    Later steps than its own are damaged ones that the run passed over: they must not take the place of a whole one.
    """
    found = _directories(folder)
    until = found.index(latest) + 1
    return [*found[: max(0, until - KEPT)], *found[until:]]


def _drop(directory: Path) -> None:
    """Remove a checkpoint; never leave half of it under its name."""
    doomed = directory.rename(directory.with_name(f".dropped-{directory.name}"))
    shutil.rmtree(doomed, ignore_errors=True)


def _directories(folder: Path) -> list[Path]:
    """The checkpoints by step, the oldest first."""
    found = [path for path in folder.glob("step-*") if path.name[5:].isdecimal() and path.is_dir()]
    return sorted(found, key=lambda path: int(path.name[5:]))


def is_whole(directory: Path) -> bool:
    """Whether every file of a checkpoint can be read and is what was written."""
    with suppress(OSError):
        return _is_as_written(directory)
    return False


def _is_as_written(directory: Path) -> bool:
    """Compare every file with the manifest. Raises OSError when the disk does not give a file that is there."""
    try:
        hashes = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
        return set(hashes) == FILES and all(sha256_of(directory / name) == hashes[name] for name in FILES)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError, TypeError, RecursionError):
        return False


def newest(folder: Path) -> tuple[Checkpoint | None, list[Path]]:
    """The newest whole checkpoint, or None, and the damaged ones that were passed over.

    Raises TunesmithError when none is whole and one could not be read: it may yet be.
    """
    damaged: list[Path] = []
    unreadable: tuple[Path, OSError] | None = None
    for directory in reversed(_directories(folder)):
        try:
            if _is_as_written(directory):
                return _read(directory), damaged
        except OSError as error:
            unreadable = unreadable or (directory, error)
        damaged.append(directory)
    if unreadable:
        unread, why = unreadable
        raise TunesmithError(
            "checkpoint_not_read",
            f"the disk does not give this checkpoint ({why.strerror}), and no other is whole",
            str(unread),
            "see to the disk and run again; `tunesmith run --from-scratch` gives the checkpoints up and trains anew",
        ) from why
    return None, damaged


def _read(directory: Path) -> Checkpoint:
    """A whole checkpoint. Its tensors are copies: they do not hang on the files, which later checkpoints replace."""
    from safetensors.torch import load_file

    tensors = {
        name: {key: value.clone() for key, value in load_file(directory / f"{name}.safetensors").items()}
        for name in TENSORS
    }
    return Checkpoint(**tensors, state=json.loads((directory / STATE).read_text(encoding="utf-8")))
