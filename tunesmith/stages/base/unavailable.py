"""The error that sends the stage on to the next source."""

from __future__ import annotations

from tunesmith.errors import InputError


class Unavailable(InputError):
    """This source cannot be had here and now; another may do."""

    def __init__(self, why: str, fix: str = "") -> None:
        super().__init__("base_unavailable", why, fix=fix)
