"""Which server of a project carries out rollouts, and whether one runs at all: a lock that ends with its holder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from tunesmith.artifact import make_folder

#: Beside the state.
FILE = "leader.lock"


class Lead:
    """The right to carry out rollouts. Of several servers of a project one has it; another takes it over."""

    def __init__(self, folder: Path) -> None:
        make_folder(folder)
        self._path = folder / FILE
        self._handle: int | None = None

    def take(self) -> bool:
        """Whether it is this process's, which it stays until the process ends or `let_go`."""
        if self._handle is None:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(handle)
                return False
            self._handle = handle
        return True

    def let_go(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def server_runs(folder: Path) -> bool:
    """Whether a server leads now."""
    lead = Lead(folder)
    free = lead.take()
    lead.let_go()
    return not free
