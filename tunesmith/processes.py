"""Pure computing in other processes, on all cores: results come back in the order of the items.

Threads would wait for the interpreter's lock. The processes are commands of their own and not copies of this one, so a
user's script is not run again in them; Ctrl-C reaches this process alone; and a process ends by itself when
its connection is closed, however this one ended.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

from tunesmith.errors import TunesmithError

#: More would bring little for what is read from one disk, and each holds some 150 MB.
MOST = 8
#: Items that wait for each process, so that it never waits for this one.
AHEAD = 2


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class _Other:
    """A process, and the way to talk to it."""

    process: subprocess.Popen[bytes]
    talk: Connection[Any, Any]

    @classmethod
    def start(cls) -> _Other:
        ours, theirs = Pipe()
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-m", "tunesmith.processes", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=environment,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C in a terminal goes to all processes of a session
            )
        return cls(process, ours)

    def send(self, item: Any) -> None:
        try:
            self.talk.send(item)
        except (BrokenPipeError, ConnectionResetError):
            raise self._ended() from None

    def result(self) -> Any:
        try:
            result, error = self.talk.recv()
        except (EOFError, ConnectionResetError):
            raise self._ended() from None
        if error is not None:
            raise error
        return result

    def _ended(self) -> TunesmithError:
        return TunesmithError(
            "process_ended",
            f"a process that computed a part of the work ended before it was done (exit status {self.process.wait()})",
            fix="if the machine was short of memory, close other programs, and run the same command again",
        )


class Processes:
    """A context in which `map` computes with ``count`` processes; with one, in this process.

    ``task`` is ``module:function``. Called once in each process with ``given``, it returns what is called with the
    items. What crosses over is pickled, between this process and its own. An item should be small (some KB): what is
    larger, the process reads itself.
    """

    def __init__(self, count: int, task: str, *given: Any) -> None:
        self.count = min(count, MOST)
        self._task, self._given = task, given
        self._others: list[_Other] = []

    def __enter__(self) -> Processes:
        if self.count > 1:
            try:
                for _ in range(self.count):
                    self._others.append(_Other.start())
                for other in self._others:
                    other.send((self._task, self._given))
            except BaseException:
                self._end(at_once=True)
                raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end(at_once=kind is not None)

    def _end(self, *, at_once: bool) -> None:
        for other in self._others:
            if at_once:
                other.process.kill()
            other.talk.close()
        for other in self._others:
            other.process.wait()
        self._others = []

    @property
    def pids(self) -> list[int]:
        """The numbers of the other processes."""
        return [other.process.pid for other in self._others]

    def map(self, items: Iterable[Any]) -> Iterator[Any]:
        """The result of each item, in order. An error in a process is raised here."""
        if not self._others:
            yield from map(_made(self._task, self._given), items)
            return
        busy: deque[_Other] = deque()
        for number, item in enumerate(items):
            other = self._others[number % len(self._others)]
            other.send(item)
            busy.append(other)
            if len(busy) >= AHEAD * len(self._others):
                yield busy.popleft().result()
        while busy:
            yield busy.popleft().result()


def _made(task: str, given: tuple[Any, ...]) -> Callable[[Any], Any]:
    module, _, function = task.partition(":")
    made: Callable[[Any], Any] = getattr(importlib.import_module(module), function)(*given)
    return made


def serve(talk: Connection[Any, Any]) -> None:
    """Compute what comes in until nothing more does: this is the other process."""
    work: Callable[[Any], Any] | None = None
    while True:
        try:
            item = talk.recv()
        except (EOFError, ConnectionResetError):
            return
        result = error = None
        try:
            if work is None:
                work = _made(*item)
                continue
            result = work(item)
        except Exception as raised:
            error = _portable(raised)
        try:
            talk.send((result, error))
        except (BrokenPipeError, ConnectionResetError):  # the one that wanted the result is gone
            return


def _portable(error: Exception) -> Exception:
    """The error, or its words: not every error can cross over."""
    if isinstance(error, TunesmithError | OSError | MemoryError):
        return error
    return RuntimeError("".join(traceback.format_exception(error)))


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])))
