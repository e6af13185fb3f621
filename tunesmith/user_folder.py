"""Where Tunesmith keeps what belongs to this user on this machine, and to no project."""

from __future__ import annotations

import os
from pathlib import Path


def cache() -> Path:
    """TUNESMITH_CACHE, or the folder of the user's caches."""
    default = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "tunesmith"
    return Path(os.environ.get("TUNESMITH_CACHE", default)).expanduser()
