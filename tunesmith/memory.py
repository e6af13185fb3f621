"""How much memory this process holds, how much is free for it, and the most that it held in some span."""

from __future__ import annotations

import resource
import sys
import threading
from pathlib import Path
from types import TracebackType

#: Where a container says how much memory it may use and uses: of cgroup version 2, then 1.
LIMITS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"), Path("/sys/fs/cgroup/memory/memory.usage_in_bytes")),
)


def resident() -> int:
    """Bytes of memory that this process holds now."""
    import psutil

    return int(psutil.Process().memory_info().rss)


def peak() -> int:
    """The most bytes that this process has held since it began (Linux counts in KiB, macOS in bytes)."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def available() -> int:
    """Bytes that this process could still take without swapping, a container's limit included."""
    import psutil

    free = int(psutil.virtual_memory().available)
    for limit, used in LIMITS:
        try:
            free = min(free, int(limit.read_text()) - int(used.read_text()))
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return max(0, free)


class Peak:
    """A context that looks every ``every`` seconds at what the process holds; ``bytes`` is the most that it saw."""

    def __init__(self, every: float = 0.05) -> None:
        self.bytes = 0
        self._every = every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="tunesmith-memory", daemon=True)

    def _watch(self) -> None:
        while not self._over.wait(self._every):
            self.look()

    def look(self) -> int:
        self.bytes = max(self.bytes, resident())
        return self.bytes

    def __enter__(self) -> Peak:
        self.look()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        self.look()
