"""One wheel from the package index, by pip: downloaded, never installed."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

POLL = 0.2  # seconds between looks at pip, so that Ctrl-C is quick


class NoWheel(Exception):
    """The wheel cannot be had here and now: ``why`` in pip's own words, and what to do."""

    def __init__(self, why: str, fix: str = "") -> None:
        super().__init__(why)
        self.why, self.fix = why, fix


def download(
    package: str, version: str, folder: Path, *, timeout: float, check: Callable[[], None] = lambda: None
) -> Path:
    """Let pip fetch the wheel into ``folder``; returns its path.

    ``timeout`` is in seconds; ``check`` is called all the while, and what it raises ends pip. Raises NoWheel, and
    OSError where the disk is full.
    """
    pinned = f"{package}=={version}"
    options = ["--no-deps", "--only-binary=:all:", "--no-input", "--quiet", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder), pinned]
    said = folder / "pip.txt"
    with said.open("wb") as output:
        # pip's own scratch goes beside the cache: /tmp is often too small for a model
        environment = {**os.environ, "TMPDIR": str(folder)}
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
        try:
            _wait(process, timeout, check)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if process.returncode != 0:
        raise _failed(pinned, said.read_text("utf-8", "replace"), folder)
    wheels = sorted(folder.glob("*.whl"))
    if not wheels:
        raise NoWheel(f"pip fetched no wheel for {pinned}")
    return wheels[0]


def _wait(process: subprocess.Popen[bytes], timeout: float, check: Callable[[], None]) -> None:
    deadline = time.monotonic() + timeout
    while process.poll() is None:
        if time.monotonic() > deadline:
            raise NoWheel(f"pip did not finish within {timeout / 60:.0f} minutes", "try again on a faster line")
        check()
        time.sleep(POLL)


def _failed(pinned: str, said: str, folder: Path) -> NoWheel | OSError:
    if "No module named pip" in said:
        return NoWheel(f"this Python has no pip to fetch {pinned} with", f"{sys.executable} -m ensurepip")
    if "No space left on device" in said:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
    last = next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "it said nothing")
    return NoWheel(
        f"pip could not fetch {pinned} ({last})",
        "connect to the package index (or set PIP_INDEX_URL, or PIP_FIND_LINKS to a folder with the wheel)",
    )
