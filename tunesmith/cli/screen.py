"""The terminal or pipe that a verb writes to. What a user's data holds is shown, never obeyed.

Rich's markup is off everywhere, so that `[bold]` in a ticket stays `[bold]`; control characters, with
which a text could repaint a terminal, are shown as pictures.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import IO, NoReturn

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

PIPE_WIDTH = 120  # characters of a table when nobody says how wide
#: Characters of a row's text that a review shows; the editor shows all.
LONGEST = 2000
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def safe(text: object) -> str:
    """The text with its control, bidirectional and broken characters made visible; line ends and tabs stay."""
    return _UNSAFE.sub(_picture, str(text).replace("\r\n", "\n"))


def _picture(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def brief(text: object, limit: int = 80) -> str:
    """One line of at most ``limit`` characters."""
    words = " ".join(safe(str(text)[: 4 * limit]).split())
    return words if len(words) <= limit and len(str(text)) <= 4 * limit else words[: limit - 1] + "…"


class Screen:
    """Where a verb writes: text, tables and pairs. ``project``: the folder that commands to type must name."""

    def __init__(self, *, stderr: bool = False, file: IO[str] | None = None, project: str | None = None) -> None:
        self._project = project
        stream = file or (sys.stderr if stderr else sys.stdout)
        width = None if stream.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH
        self.console = _Console(file=stream, width=width, markup=False, highlight=False, emoji=False)

    @property
    def coloured(self) -> bool:
        """Whether a colour will reach a person's eye."""
        return self.console.is_terminal and self.console.color_system is not None and not self.console.no_color

    @property
    def live(self) -> bool:
        """Whether lines can be painted over."""
        return self.console.is_terminal and not self.console.is_dumb_terminal

    def waiting(self, text: str) -> AbstractContextManager[object]:
        """Say in a terminal that something is under way, while the block runs."""
        return self.console.status(text) if self.live else nullcontext()

    def sign(self, good: bool) -> str:
        """A tick or a cross, in what the terminal can write."""
        if self.console.encoding.lower().startswith("utf"):
            return "✓" if good else "✗"
        return "ok" if good else "failed"

    def say(self, text: str = "", style: str = "", *, wrap: bool = False) -> None:
        """Write one text. ``wrap`` breaks prose at words in a terminal; paths and commands stay whole."""
        self.console.print(Text(safe(text), style), soft_wrap=not (wrap and self.console.is_terminal))

    def command(self, words: str) -> str:
        """A command of Tunesmith to type next, as it works from here."""
        place = f" --project {shlex.quote(self._project)}" if self._project is not None else ""
        return f"tunesmith {words}{place}"

    def heading(self, text: str) -> None:
        self.say(text, "bold")

    def indented(self, text: str, by: int = 4, style: str = "") -> None:
        """Write a text of one or more lines, moved to the right."""
        if self.console.is_terminal:
            self.console.print(Padding(Text(safe(text), style), (0, 0, 0, by)))
        else:
            self.say("\n".join(" " * by + line for line in safe(text).split("\n")), style)

    def excerpt(self, text: str, by: int = 4, style: str = "") -> None:
        """Write a row's text, moved to the right: its first characters, and how many more there are."""
        cut = text if len(text) <= LONGEST else text[:LONGEST] + f"… ({len(text) - LONGEST:,} characters more)"
        self.indented(cut, by, style)

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[object]], right: Sequence[int] = ()) -> None:
        """Write a table without lines; ``right`` are the columns with numbers."""
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
        for index, header in enumerate(headers):
            table.add_column(Text(header), justify="right" if index in right else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text(safe(cell)) for cell in row))
        self.console.print(table)

    def pairs(self, rows: Sequence[tuple[str, object]]) -> None:
        """Write labels and their values, one pair a line; empty values are left out. In a pipe no value is broken."""
        told = [(label, safe(value)) for label, value in rows if value not in (None, "")]
        if not self.console.is_terminal:
            width = max((len(label) for label, _ in told), default=0)
            for label, value in told:
                self.say(f"{label:{width}}  {value}")
            return
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for label, value in told:
            table.add_row(Text(label, "dim"), Text(value))
        self.console.print(table)


class _Console(Console):
    """Rich's console, which leaves the end of a broken pipe to `main`."""

    def on_broken_pipe(self) -> NoReturn:
        silence(self.file)
        raise BrokenPipeError


def silence(stream: IO[str]) -> None:
    """Send the rest of a stream nowhere."""
    try:
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, stream.fileno())
        os.close(devnull)
    except (OSError, ValueError):
        pass  # a stream without a file behind it has nothing to flush
