"""Texts in the form in which forbidden words are looked for: without case, accents, invisible characters, disguises."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from tunesmith.privacy.plain_form import LOOK_ALIKES, UNSPACED

#: Marks that are written on top of letters: accents, overlays, vowel points.
_MARKS = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u1ab0-\u1aff\u1dc0-\u1dff"
    "\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f\U000e0100-\U000e01ef]"
)
#: A character of a script without spaces is a word of its own.
TOKEN = re.compile(rf"[{UNSPACED}]|[^\W_{UNSPACED}]+")


@dataclass(frozen=True)
class Folded:
    """``text`` as it is compared, and for each of its characters the place in the raw text ``[len(text)]``.

    ``size``: of the raw text.
    """

    text: str
    places: Sequence[int]
    size: int

    def place(self, at: int) -> int:
        """Where the character ``at`` stands in the raw text; for the end, the raw text's end."""
        return self.places[at] if at < len(self.places) else self.size


class _Table(dict[str, str]):
    """What each character becomes, worked out when it is first met."""

    def __init__(self, disguised: bool) -> None:
        self._disguised = disguised

    def __missing__(self, character: str) -> str:
        self[character] = found = _fold(character, self._disguised)
        return found


def _fold(character: str, disguised: bool) -> str:
    if unicodedata.category(character) == "Cf":
        return ""  # zero-width, direction, soft hyphen
    if not disguised:
        return unicodedata.normalize("NFD", character.casefold())
    bare = _MARKS.sub("", unicodedata.normalize("NFKD", character))
    return unicodedata.normalize("NFC", bare.casefold())


_TABLES = {disguised: _Table(disguised) for disguised in (True, False)}


def fold(text: str, *, disguised: bool = True, look_alikes: bool = True) -> Folded:
    """The text without case and what is invisible; where it may be disguised, without accents, in the letters of plain
    Latin where others look like them.

    It is made character by character, so the form of a beginning is the beginning of the form.
    """
    if text.isascii():
        return Folded(text.lower(), range(len(text)), len(text))
    table = _TABLES[disguised]
    pieces: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        piece = table[character]
        pieces.append(piece)
        places.extend([place] * len(piece))
    found = "".join(pieces)
    if disguised and look_alikes:
        found = found.translate(LOOK_ALIKES)
    return Folded(found, places, len(text))


def in_words(text: str) -> str:
    """A folded text as words with one space between them, before and after: for patterns over words.

    Letters that stand alone, as in s p e l l e d, are one word.
    """
    words = re.findall(r"[^\W_]+", text)
    joined: list[str] = []
    letters: list[str] = []
    for word in [*words, ""]:
        if len(word) == 1 and word.isalpha():
            letters.append(word)
            continue
        joined += ["".join(letters)] if len(letters) >= SPELLED else letters
        letters = []
        joined.append(word)
    return f" {' '.join(joined)}"


#: So many letters that each stand alone are a word that is spelled out.
SPELLED = 4
