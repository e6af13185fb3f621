"""Texts that a user types: in the editor of their choice, or on one line."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tunesmith.errors import InputError

if TYPE_CHECKING:
    from tunesmith.cli.screen import Screen


def typed(screen: Screen, what: str, old: str = "") -> str | None:
    """Ask for a text, with the old one there to be changed; None where nothing was typed."""
    if os.environ.get("VISUAL") or os.environ.get("EDITOR"):
        return _in_editor(old)
    return _in_line(screen, what, old)


def _in_line(screen: Screen, what: str, old: str) -> str | None:
    """Ask for a text on one line, with the old one there to be changed; ends of lines are written as \\n."""
    import readline

    screen.say(f"{what} (\\n is the end of a line, an empty one changes nothing):", "dim")
    readline.set_startup_hook(lambda: readline.insert_text(old.replace("\\", "\\\\").replace("\n", "\\n")))
    try:
        typed = input("> ")
    except EOFError:
        return None
    finally:
        readline.set_startup_hook(None)
    return typed.replace("\\\\", "\0").replace("\\n", "\n").replace("\0", "\\") or None


def _in_editor(old: str) -> str | None:
    """Open the user's editor on the answer, in a file that only the user can read."""
    command = shlex.split(os.environ.get("VISUAL") or os.environ["EDITOR"])
    with tempfile.TemporaryDirectory(prefix="tunesmith-") as folder:
        path = Path(folder) / "answer.txt"
        path.write_text(old, encoding="utf-8")
        try:
            done = subprocess.run([*command, str(path)], check=False)
        except OSError as error:
            raise InputError(
                "no_editor", f"the editor {command[0]!r} cannot be started ({error.strerror})", "EDITOR", "set EDITOR"
            ) from error
        if done.returncode != 0:
            return None
        text = path.read_text(encoding="utf-8", errors="replace")
    return text if old.endswith("\n") else text.removesuffix("\n")
