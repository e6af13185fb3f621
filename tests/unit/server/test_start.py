"""The server says that it answers when it does, and can be ended while it starts."""

from __future__ import annotations

import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

ROOT = Path(__file__).parents[3]
SOON = 30


@pytest.fixture
def starting(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A server that has not started, and its port."""
    command = [sys.executable, "-m", "tests.unit.server.slow_start", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


def test_it_is_ready_when_all_has_started(starting: tuple[subprocess.Popen[str], int]) -> None:
    process, port = starting
    assert process.stdin
    assert process.stdout
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(httpx2.get, f"http://127.0.0.1:{port}/health", timeout=SOON)
        assert select.select([process.stdout], [], [], 0.5)[0] == []
        assert not asked.done()
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ready\n"
        assert asked.result().json() == {"status": "ok"}
    process.send_signal(signal.SIGTERM)
    assert process.wait(SOON) == 0


def test_a_signal_ends_it_while_it_starts(starting: tuple[subprocess.Popen[str], int]) -> None:
    process, _ = starting
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    assert process.wait(SOON) in (128 + signal.SIGTERM, -signal.SIGTERM)  # the last before the server minds signals
