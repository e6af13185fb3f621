"""What this machine can do, found without importing torch."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclass(frozen=True)
class Machine:
    """Cores and MB of memory that this process may use, and whether an NVIDIA GPU is there for torch."""

    cores: int
    memory: int
    cuda: bool

    def __str__(self) -> str:
        gpu = "a GPU" if self.cuda else "no GPU"
        return f"{self.cores} core{'s' * (self.cores != 1)}, {self.memory / 1000:.0f} GB of memory, {gpu}"


def look() -> Machine:
    """Look at this machine: its affinity mask, its memory or the container's limit, its driver."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limit in CGROUP_LIMITS:
        try:
            memory = min(memory, int(Path(limit).read_text()))
        except (OSError, ValueError):  # no such group, or "max"
            continue
    return Machine(cores, memory // 1_000_000, _has_cuda())


def _has_cuda() -> bool:
    """Whether there is a driver, a visible device and a torch that was built for it."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0") in ("", "-1", "NoDevFiles"):
        return False
    if not Path("/proc/driver/nvidia/version").exists() and not Path("/dev/nvidia0").exists():
        return False
    try:
        return "+cpu" not in metadata.version("torch")
    except metadata.PackageNotFoundError:
        return False
