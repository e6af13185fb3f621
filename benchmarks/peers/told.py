"""What the scripts of the peers share: the job read, the training timed, losses and memory told.

A script imports it as ``told``: it lies beside the script, and runs in the peer's environment.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from memory import megabytes
from transformers import TrainerCallback


class Told(TrainerCallback):  # type: ignore[misc]
    """Listens to a trainer: the loss of each step, and the seconds from before the first step to after the last."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.began = 0.0
        self.seconds = 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.began = time.perf_counter()

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.seconds = time.perf_counter() - self.began

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        if logs and "loss" in logs:
            self.losses.append(float(logs["loss"]))

    def all(self) -> dict[str, Any]:
        return {"seconds": self.seconds, "losses": self.losses, "megabytes": megabytes()}


def lines(path: str) -> list[Any]:
    """The rows of a JSONL file."""
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def script(main: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Do the job that the command's argument names, and print what is told of it on the last line."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    told = json.dumps(main(job))
    print(f"\n{told}")
