"""Pure computing in other processes, on all cores: results come back in the order of the items.

Threads would wait for the interpreter's lock. The processes are commands of their own and not copies of this one, so a
user's script is not run again in them; Ctrl-C reaches this process alone; and a process ends by itself when
its pipe is closed, however this one ended.
"""

from __future__ import annotations

import importlib
import os
import pickle
import subprocess
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import IO, Any

from tunesmith.errors import TunesmithError

#: More would bring little for what is read from one disk, and each holds some 150 MB.
MOST = 8
#: Items that wait in each process's pipe, so that it never waits for this one.
AHEAD = 2


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Processes:
    """A context in which `map` computes with ``count`` processes; with one, in this process.

    ``task`` is ``module:function``. Called once in each process with ``given``, it returns what is called with the
    items. What crosses over is pickled. An item must fit into a pipe (64 KB): what is larger, the process reads itself.
    """

    def __init__(self, count: int, task: str, *given: Any) -> None:
        self.count = min(count, MOST)
        self._task, self._given = task, given
        self._running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Processes:
        if self.count > 1:
            try:
                for _ in range(self.count):
                    self._running.append(_start())
                for process in self._running:
                    _send(process, (self._task, self._given))
            except BaseException:
                self._end(at_once=True)
                raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end(at_once=kind is not None)

    def _end(self, *, at_once: bool) -> None:
        for process in self._running:
            if at_once:
                process.kill()
            for pipe in (process.stdin, process.stdout):
                try:
                    _open(pipe).close()
                except BrokenPipeError:
                    pass
        for process in self._running:
            process.wait()
        self._running = []

    def map(self, items: Iterable[Any]) -> Iterator[Any]:
        """The result of each item, in order. An error in a process is raised here."""
        if not self._running:
            yield from map(_made(self._task, self._given), items)
            return
        busy: deque[subprocess.Popen[bytes]] = deque()
        for number, item in enumerate(items):
            process = self._running[number % len(self._running)]
            _send(process, item)
            busy.append(process)
            if len(busy) >= AHEAD * len(self._running):
                yield _received(busy.popleft())
        while busy:
            yield _received(busy.popleft())


def _start() -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "tunesmith.processes"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        start_new_session=True,  # Ctrl-C in a terminal goes to all processes of a session
    )


def _open(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise ValueError("the process has no pipe")
    return pipe


def _send(process: subprocess.Popen[bytes], item: Any) -> None:
    try:
        pickle.dump(item, _open(process.stdin), pickle.HIGHEST_PROTOCOL)
        _open(process.stdin).flush()
    except BrokenPipeError:
        raise _ended(process) from None


def _received(process: subprocess.Popen[bytes]) -> Any:
    try:
        result, error = pickle.load(_open(process.stdout))
    except (EOFError, pickle.UnpicklingError):
        raise _ended(process) from None
    if error is not None:
        raise error
    return result


def _ended(process: subprocess.Popen[bytes]) -> TunesmithError:
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:  # it lives, and what it says is no result
        process.kill()
    return TunesmithError(
        "process_ended",
        f"a process that computed a part of the work ended before it was done (exit status {process.wait()})",
        fix="if the machine was short of memory, close other programs, and run the same command again",
    )


def _made(task: str, given: tuple[Any, ...]) -> Callable[[Any], Any]:
    module, _, function = task.partition(":")
    made: Callable[[Any], Any] = getattr(importlib.import_module(module), function)(*given)
    return made


def serve(incoming: IO[bytes], outgoing: IO[bytes]) -> None:
    """Compute what comes in until nothing more does: this is the other process."""
    work: Callable[[Any], Any] | None = None
    while True:
        try:
            item = pickle.load(incoming)
        except EOFError:
            return
        result = error = None
        try:
            if work is None:
                work = _made(*item)
                continue
            result = work(item)
        except Exception as raised:
            error = _portable(raised)
        pickle.dump((result, error), outgoing, pickle.HIGHEST_PROTOCOL)
        outgoing.flush()


def _portable(error: Exception) -> Exception:
    """The error, or its words where it cannot cross over."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError("".join(traceback.format_exception(error)))
    return error


def _main() -> None:
    incoming, outgoing = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # what anything prints must not stand among the results
    try:
        serve(incoming, outgoing)
    except BrokenPipeError:  # the one that wanted the results is gone
        os._exit(1)


if __name__ == "__main__":
    _main()
