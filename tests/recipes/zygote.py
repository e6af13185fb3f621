"""`tunesmith` in processes that begin at once: one process imports all that a training needs, and forks for each.

Hundreds of runs would else spend their time on importing torch. A forked process runs the real command in a
process group of its own, and is killed as any other; the one that it was forked from has computed nothing, so that
no thread of torch is lost on the way.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

from tests.recipes.small_project import ROOT, environment

#: What a training run imports on its way.
MODULES = (
    "peft",
    "safetensors.torch",
    "torch._dynamo",  # imported by the first optimizer
    "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto",
    "transformers.models.bert.modeling_bert",
    "transformers.models.llama.modeling_llama",
    "tunesmith.cli.main",
    "tunesmith.learners.causal_lm.encode",
    "tunesmith.learners.causal_lm.load",
    "tunesmith.learners.classifier.encode",
    "tunesmith.learners.classifier.load",
    "tunesmith.pipeline.run",
    "tunesmith.stages.train.run",
)
#: Audit events (docs.python.org/3/library/audit_events.html) of what changes a disk; `open` counts when it writes.
CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate"}


@dataclass(frozen=True)
class Order:
    """A command to be run: its words, the file that takes what it says, and how many threads torch is given.

    ``dies_before``: it kills itself before it changes the disk for the so-manieth time, counted from 0.
    """

    words: tuple[str, ...]
    said: str
    threads: int
    dies_before: int | None = None


class Zygote:
    """Starts commands, one at a time. A context manager."""

    def __init__(self, bases_cache: Path) -> None:
        self._environment = {**environment(bases_cache), "TUNESMITH_OFFLINE": "1"}
        self._process: Any = None
        self._unread = b""

    def __enter__(self) -> Zygote:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.recipes.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env=self._environment,
            cwd=ROOT,
        )
        assert self._read(120) == "ready"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()

    def _read(self, timeout: float) -> str | None:
        """The next line of the zygote, or None when none came in time."""
        end = time.monotonic() + timeout
        while b"\n" not in self._unread:
            if not select.select([self._process.stdout], [], [], max(0.0, end - time.monotonic()))[0]:
                return None
            read = self._process.stdout.read(1000)
            assert read, "the zygote is gone"
            self._unread += read
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode()

    def run(self, order: Order, kill_after: float | None = None, timeout: float = 550) -> int:
        """Run a command to its end, or kill its process group after some seconds.

        Returns its exit code, or minus the signal that ended it.
        """
        self._process.stdin.write(json.dumps(asdict(order)).encode() + b"\n")
        group = self._read(timeout)
        assert group is not None
        ended = self._read(timeout if kill_after is None else kill_after)
        if ended is None:
            _kill(int(group))
            ended = self._read(timeout)
            if kill_after is None:
                raise TimeoutError(f"it ran for {timeout:.0f} s: {Path(order.said).read_text()}")
            assert ended is not None
        return int(ended)


def _kill(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:  # it has just ended
        pass


def main() -> None:
    """Import, then fork a child for each order that comes in; tell its pid and how it ended."""
    for name in MODULES:
        importlib.import_module(name)
    print("ready", flush=True)  # noqa: T201
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _be(Order(**json.loads(line)))
        try:
            os.setpgid(pid, pid)  # whichever of the two is first
        except PermissionError:
            pass
        print(pid, flush=True)  # noqa: T201
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201


def _be(order: Order) -> NoReturn:
    """Be the command, and nothing else."""
    import torch

    from tunesmith.cli.main import main as tunesmith

    code = 70
    try:
        os.setpgid(0, 0)
        output = os.open(order.said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for stream in (0, 1, 2):
            os.dup2(output if stream else os.open(os.devnull, os.O_RDONLY), stream)
        torch.set_num_threads(order.threads)
        if order.dies_before is not None:
            _die_before(order.dies_before)
        code = tunesmith(order.words)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _die_before(change: int) -> None:
    left = change

    def heard(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if event in CHANGES or (event == "open" and _writes(arguments)):
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(heard)


def _writes(arguments: tuple[Any, ...]) -> bool:
    """Whether an `open` writes: its flags say so, whatever its mode says (which os.open has not)."""
    return bool(int(arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


if __name__ == "__main__":
    main()
