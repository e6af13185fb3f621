"""Which of several processes this one is, as a launcher such as torchrun tells by the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass

#: What PyTorch's launchers set in every process that is to meet the others (`env://` in torch.distributed).
TOLD = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class Place:
    """``rank``, from 0, of ``size`` processes, ``local_size`` of them on this machine."""

    rank: int
    size: int
    local_size: int


def place() -> Place | None:
    """This process's place among those that were launched together, or None where it runs alone."""
    if not all(os.environ.get(name) for name in TOLD):
        return None
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    return Place(rank, size, int(os.environ.get("LOCAL_WORLD_SIZE", "1"))) if size > 1 else None


def follows() -> bool:
    """Whether another process of the launch is the first, which does all but a share of the training."""
    found = place()
    return found is not None and found.rank > 0
