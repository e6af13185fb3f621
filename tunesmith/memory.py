"""How much memory this process holds, as the operating system counts it."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path


def resident_bytes() -> int | None:
    """Bytes of memory in use now; None where the system does not tell it cheaply (it is read from /proc)."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def peak_bytes() -> int:
    """The most memory this process has had, in bytes (Linux counts in KiB, macOS in bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
