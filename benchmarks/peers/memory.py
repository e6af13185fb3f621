"""The peak of this process's resident memory."""

from __future__ import annotations

import resource


def megabytes() -> float:
    """What the kernel counted so far, in MB of a million bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1_000_000
