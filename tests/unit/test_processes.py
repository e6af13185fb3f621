"""Work in other processes: results in order, errors told, and nothing that outlives the one that asked for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tunesmith.errors import InputError, TunesmithError
from tunesmith.processes import MOST, Processes

ROOT = Path(__file__).parents[2]


def squares(add: int) -> Callable[[int], tuple[int, int]]:
    return lambda number: (number * number + add, os.getpid())


def faulty(code: str) -> Callable[[int], int]:
    def work(number: int) -> int:
        if number == 3:
            raise InputError(code, "the third is wrong", "rows.csv:3", "mend it")
        if number == 5:
            raise ValueError(lambda: "this error cannot be pickled")
        if number == 7:
            os._exit(9)
        return number

    return work


def idle() -> Callable[[int], int]:
    def work(number: int) -> int:
        time.sleep(60)
        return number

    return work


def task(function: Callable[..., Any]) -> str:
    return f"{__name__}:{function.__name__}"


@pytest.mark.parametrize("count", [1, 2, 3])
def test_results_come_in_the_order_of_the_items(count: int) -> None:
    with Processes(count, task(squares), 5) as processes:
        found = list(processes.map(range(20)))
    assert [value for value, _ in found] == [number * number + 5 for number in range(20)]
    pids = {pid for _, pid in found}
    assert len(pids) == count
    assert (os.getpid() in pids) == (count == 1)
    assert not any(map(psutil.pid_exists, pids - {os.getpid()}))


def test_there_are_never_more_than_some() -> None:
    assert Processes(64, task(squares), 0).count == MOST


def test_an_error_there_is_the_same_error_here() -> None:
    with pytest.raises(InputError) as told, Processes(2, task(faulty), "bad_row") as processes:
        list(processes.map(range(5)))
    assert (told.value.code, told.value.where) == ("bad_row", "rows.csv:3")
    with pytest.raises(RuntimeError, match="cannot be pickled"), Processes(2, task(faulty), "") as processes:
        list(processes.map([5]))


def test_a_process_that_is_ended_from_outside_is_told() -> None:
    with pytest.raises(TunesmithError) as told, Processes(2, task(faulty), "") as processes:
        list(processes.map([1, 7, 2, 4]))
    assert told.value.code == "process_ended"
    assert "exit status 9" in told.value.what


def test_leaving_early_ends_the_processes_at_once() -> None:
    began = time.monotonic()
    running: list[int] = []

    def interrupted() -> None:
        with Processes(2, task(idle)) as processes:
            running.extend(processes.pids)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert time.monotonic() - began < 30
    assert len(running) == 2
    assert not any(map(psutil.pid_exists, running))


SCRIPT = f"""\
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets what runs in its background ignore it
print("script", flush=True)
from tunesmith.processes import Processes
with Processes(2, "{__name__}:squares", 0) as processes:
    list(processes.map(range(4)))
    print(*processes.pids, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("ends", [signal.SIGKILL, signal.SIGINT])
def test_nothing_outlives_a_process_that_is_killed(ends: signal.Signals, tmp_path: Path) -> None:
    """Its script runs once, and Ctrl-C in its terminal (all of its session) is its own affair."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    process = subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "script\n"
    others = [int(pid) for pid in process.stdout.readline().split()]
    assert len(others) == 2
    assert all(map(psutil.pid_exists, others))
    os.killpg(process.pid, ends)
    said, wrong = process.communicate(timeout=60)
    assert said == ""
    assert wrong.count("KeyboardInterrupt") == (ends == signal.SIGINT)
    deadline = time.monotonic() + 60
    while any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in others):
        assert time.monotonic() < deadline
        time.sleep(0.05)
