"""Kill a process at every moment of a save, and look at what is left. Run by test_checkpoint.py as a script.

Moments are counted in a save that ends: before each line of ours, and before and after each call into C that
touches the disk; or ``everywhere``, before each line of every library and around every call into C. For each a
process is forked that saves and kills itself at that moment. In the end one line of JSON tells the number of moments
and what was wrong at which.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from tunesmith.training import checkpoint
from tunesmith.training.checkpoint import TENSORS, Checkpoint

#: C functions that touch the disk, or that write through a library in Rust.
ON_DISK = {
    "mkdir",
    "open",
    "write",
    "close",
    "fsync",
    "rename",
    "replace",
    "unlink",
    "rmdir",
    "serialize_file",
    "flush",
}


def at_step(step: int) -> Checkpoint:
    """What a checkpoint of a step holds: other numbers in each."""
    tensors = {name: {"a": torch.full((3, 5), step + place / 8)} for place, name in enumerate(TENSORS)}
    return Checkpoint(**tensors, state={"step": step})


def same(left: Checkpoint, right: Checkpoint) -> bool:
    return left.state == right.state and all(
        torch.equal(getattr(left, name)["a"], getattr(right, name)["a"]) for name in TENSORS
    )


def count_moments(everywhere: bool, moment: Callable[[], None]) -> None:
    """Call ``moment`` at each: with ``everywhere`` at every line of every library and every call into C."""

    def line(frame: Any, event: str, argument: Any) -> Any:
        if event == "call":
            ours = frame.f_code.co_filename.endswith(("training/checkpoint.py", "tunesmith/artifact.py"))
            return line if everywhere or ours else None
        if event == "line":
            moment()
        return line

    def into_c(frame: Any, event: str, argument: Any) -> None:
        if event in ("c_call", "c_return") and (everywhere or argument.__name__ in ON_DISK):
            moment()

    sys.setprofile(into_c)
    sys.settrace(line)


def save_and_die(folder: Path, step: int, at: int, everywhere: bool) -> bool:
    """Save in a process of its own, which kills itself at the moment ``at``. False when the save ended before it."""
    pid = os.fork()
    if pid == 0:
        left = at

        def moment() -> None:
            nonlocal left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

        count_moments(everywhere, moment)
        checkpoint.save(folder, at_step(step))
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, -signal.SIGKILL):
        raise RuntimeError(f"the save of moment {at} ended with {code}")
    return code != 0


def fault_after(folder: Path, steps: tuple[int, ...]) -> str:
    """What is wrong after a kill amid the save of the last step, when those before were whole; "" when nothing is."""
    before, dying = steps[-2], steps[-1]
    found, damaged = checkpoint.newest(folder)
    if damaged:
        return f"damaged: {damaged}"
    if found is None or found.state["step"] not in (before, dying) or not same(found, at_step(found.state["step"])):
        return f"found {found and found.state}"
    checkpoint.save(folder, at_step(dying))  # the next run comes to the same step
    checkpoint.save(folder, at_step(dying + 1))
    left = sorted(path.name for path in folder.iterdir())
    if left != [f"step-{step:08d}" for step in (dying, dying + 1)]:
        return f"left over: {left}"
    for step in (dying, dying + 1):
        if not checkpoint.is_whole(folder / f"step-{step:08d}"):
            return f"step {step} is not whole"
    return ""


def main(root: Path, everywhere: bool, stride: int) -> None:
    """For a first save, a second, and a third, which drops the first: every ``stride``-th moment."""
    checkpoint.save(root / "imports", at_step(1))
    moments, faults = 0, []
    for saves in (1, 2, 3):
        prepared = root / f"prepared-{saves}"
        prepared.mkdir(parents=True)
        for step in range(1, saves):
            checkpoint.save(prepared, at_step(step))
        for at in itertools.count(saves % stride, stride):
            folder = shutil.copytree(prepared, root / "killed")
            if not save_and_die(folder, saves, at, everywhere):
                shutil.rmtree(folder)
                break
            moments += 1
            if saves > 1 and (fault := fault_after(folder, tuple(range(1, saves + 1)))):
                faults.append(f"save {saves}, moment {at}: {fault}")
            if saves == 1 and checkpoint.newest(folder)[1]:
                faults.append(f"the first save, moment {at}: a damaged checkpoint")
            shutil.rmtree(folder)
    print(json.dumps({"moments": moments, "faults": faults}))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] == "everywhere", int(sys.argv[3]))
