"""The plain form of a text: what a person reads, whatever characters it is written with.

Full-width and mathematical letters become ASCII, digits of all scripts 0 to 9, dashes one dash; zero-width and
direction characters are left out. Detectors look at the plain form; positions are mapped back to the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

#: Characters that the plain form may change. Latin, Greek, Cyrillic, Hebrew and CJK letters are not among them.
_STRANGE = re.compile(
    "[\u00a0\u00ad\u00b2\u00b3\u00b9\u034f\u0600-\u0605\u061c\u0660-\u0669\u06dd\u06f0-\u06f9\u0700-\u303f"
    "\ua620-\uabff\ufe00-\uffff\U00010000-\U0010ffff]"
)
#: Scripts that are written without spaces: a letter of theirs beside a value is not part of it.
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\ua4cf\uac00-\ud7ff\uf900-\ufaff"
#: What a value would go on with: letters and digits, but for those.
WORD = rf"[^\W{UNSPACED}]"
_DASHES = dict.fromkeys([*range(0x2010, 0x2016), 0x2212, 0xFE58, 0xFE63, 0xFF0D], "-")
_DOTS = dict.fromkeys([0x3002, 0xFF61], ".")

#: Letters of other scripts that look like Latin ones (the common part of Unicode's confusables.txt).
LOOK_ALIKES = str.maketrans(
    "аеорсухіјѕһԛԝԁӏкмт" + "АВСЕНІЈКМОРЅТУХԜ" + "αινορτυχεκ" + "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ" + "ıɡɩ",
    "aeopcyxijshqwdlkmt" + "ABCEHIJKMOPSTYXW" + "aivoptuxek" + "ABEZHIKMNOPTYX" + "igi",
)


class _Plain(dict[int, str]):
    """The plain form of each character, worked out when it is first met."""

    def __missing__(self, code: int) -> str:
        self[code] = plain = _plain(chr(code))
        return plain


def _plain(character: str) -> str:
    category = unicodedata.category(character)
    if category in ("Cf", "Mn") and not unicodedata.combining(character):
        return ""  # zero-width, direction, soft hyphen, variation selectors
    if category == "Nd":
        return str(unicodedata.decimal(character))
    normal = unicodedata.normalize("NFKC", character)
    return normal if len(normal) == 1 else character


_PLAIN = _Plain(_DASHES | _DOTS)


def plain_form(text: str) -> tuple[str, Sequence[int]]:
    """The plain form, and for each of its characters the position in the text ``[len(plain)]``."""
    if text.isascii() or not _STRANGE.search(text):
        return text, range(len(text))
    pieces = [_PLAIN[ord(character)] for character in text]
    if all(pieces):
        return "".join(pieces), range(len(text))
    return "".join(pieces), [place for place, piece in enumerate(pieces) if piece]


def unmistakable(text: str) -> str:
    """The text with letters that look like Latin ones written as those, in lower case: to compare values."""
    return text.casefold() if text.isascii() else text.translate(LOOK_ALIKES).casefold()
