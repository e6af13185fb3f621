"""Values in evidence: quoted, short, and safe to write anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterable

_SPACES = re.compile(r"\s+")


def shorten(text: str, characters: int = 60) -> str:
    """The text in quotes, cut after ``characters``, each run of white space as one space."""
    cut = _SPACES.sub(" ", text[: characters * 4])
    if len(cut) > characters or len(text) > characters * 4:
        cut = cut[:characters].rstrip() + "…"
    return f'"{writable(cut)}"'


def writable(text: str) -> str:
    """The text with lone surrogates, which no file format takes, as question marks."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def listed(items: Iterable[str], shown: int = 3, hidden: int = 0) -> str:
    """The first few items, and how many more there are besides; ``hidden`` ones are not among the items."""
    everything = list(items)
    hidden += max(0, len(everything) - shown)
    return ", ".join(everything[:shown]) + (f" and {hidden} more" if hidden else "")
