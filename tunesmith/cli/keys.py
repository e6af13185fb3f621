"""Single keys of a terminal, as they are pressed."""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tunesmith.errors import InputError

#: The rest of what an arrow or function key sends comes within this time, in seconds.
_REST = 0.02


def require_terminal(where: str, instead: str) -> None:
    """Raise InputError ``not_a_terminal`` where nobody can press a key; ``instead``: what to do there."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        what = f"{where} asks for one key after the other, and this is not a terminal"
        raise InputError("not_a_terminal", what, where, f"run it in a terminal{instead}")


class Keys:
    """The keys of a terminal that gives them at once; get one from `keys_at_once`."""

    def __init__(self, terminal: int, before: list[Any]) -> None:
        self._terminal = terminal
        self._before = before

    def read(self) -> str:
        """Wait for a key: a letter in lower case, "q" at the end of the input, "" for what is no character."""
        key = os.read(self._terminal, 1)
        if key == b"\x1b":
            while select.select([self._terminal], [], [], _REST)[0]:
                os.read(self._terminal, 1)
            return ""
        return "q" if key in (b"", b"\x04") else key.decode("ascii", "replace").lower()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Give the terminal back as it was, to be typed in, while the block runs."""
        termios.tcsetattr(self._terminal, termios.TCSADRAIN, self._before)
        try:
            yield
        finally:
            tty.setcbreak(self._terminal, termios.TCSADRAIN)


@contextmanager
def keys_at_once(terminal: int) -> Iterator[Keys]:
    """Have each key at once and without an echo, while the block runs; Ctrl-C still interrupts."""
    before = termios.tcgetattr(terminal)
    tty.setcbreak(terminal, termios.TCSADRAIN)
    try:
        yield Keys(terminal, before)
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
