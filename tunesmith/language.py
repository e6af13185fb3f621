"""Which language a text is in, when that is sure.

CLD2 judges (Apache-2.0; its tables are in the package, so nothing is fetched): some 10 microseconds a text. It looks
at four letters at a time, so short texts, lists of names and code are never sure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

#: Bytes of letters; below, a name or two can look like another language.
FEWEST_BYTES = 45
#: How much of the text must be in the language, in percent.
LEAST_SHARE = 80
#: How much of it must be words; the rest is code and tables.
LEAST_LETTERS = 0.85
#: Looked at; enough to be sure of the rest.
MOST_CHARACTERS = 2000

#: Languages so near each other that short texts of one are taken for the other.
_NEAR = (
    {"da", "no", "nn"},
    {"hr", "sr", "bs", "sl", "sr-ME"},
    {"id", "ms", "jv", "su"},
    {"cs", "sk"},
    {"zh", "zh-Hant"},
    {"gl", "pt", "es"},
    {"ca", "oc", "es", "fr"},
    {"it", "co", "la"},
    {"nl", "af", "fy"},
    {"de", "lb", "de-CH"},
    {"en", "sco"},
    {"fr", "ht", "br"},
    {"ru", "uk", "be"},
    {"bg", "mk"},
    {"hi", "mr", "ne", "bh", "sa"},
    {"tr", "az", "tk"},
    {"kk", "ky", "tt", "ba"},
    {"ga", "gd"},
    {"zu", "xh", "ss", "nr"},
    {"st", "nso", "tn"},
    {"bn", "as"},
)
#: Made-up ones, and those that CLD2 gives for Latin and for symbols.
_NO_LANGUAGE = {"un", "ia", "ie", "vo", "tlh", "zzb", "zze", "zzh", "zzp"}
#: CLD2's codes of before 1989.
_TODAY = {"iw": "he", "jw": "jv"}
_NOT_PROSE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+|\S+@\S+|\[[A-Z_]+_\d+\]|<[^<>]*>", re.DOTALL)
_MARKS = ("`", "@", "://", "[", "<")
_NO_WORDS = re.compile(r"[^\w\s]+|[\d_]+")
_CONTROLS = dict.fromkeys([*range(32), *range(127, 160)], " ")


@dataclass(frozen=True, slots=True)
class Language:
    """``code`` as in ISO 639, ``name`` in English, ``share`` of the text in percent."""

    code: str
    name: str
    share: int


def language_of(text: str, expected: str | None = None) -> Language | None:
    """The language of most of the text, or None when that is not sure. Code and addresses are not looked at.

    Where it is ``expected``, less is asked of the text, which is faster.
    """
    detector = _detector()
    if detector is None or len(text) < FEWEST_BYTES // 3:
        return None
    prose = text[:MOST_CHARACTERS]
    if any(mark in prose for mark in _MARKS):
        prose = _NOT_PROSE.sub(" ", prose)
    if not prose.isprintable():
        prose = prose.translate(_CONTROLS)
    try:
        reliable, size, found = detector.detect(prose.encode("utf-8", "ignore"))
    except detector.error:  # it takes no code points that stand for no character
        return None
    name, code, share, _ = found[0]
    if not reliable or size < FEWEST_BYTES or share < LEAST_SHARE or code in _NO_LANGUAGE or code.startswith("xx"):
        return None
    found = Language(_TODAY.get(code, code), _plain(name), share)
    if found.code != expected and len(_NO_WORDS.sub("", prose)) < LEAST_LETTERS * len(prose):
        return None
    return found


def is_other(code: str, rest: str) -> bool:
    """Whether two languages differ, and are not so near that one may be taken for the other."""
    return code != rest and not any(code in near and rest in near for near in _NEAR)


def known_languages() -> dict[str, str]:
    """The names of the languages by their codes; empty where the detector is not installed."""
    detector = _detector()
    if detector is None:
        return {}
    languages = {_TODAY.get(code, code): _plain(name) for name, code in detector.LANGUAGES}
    return {code: name for code, name in languages.items() if code not in _NO_LANGUAGE and not code.startswith("xx")}


def _plain(name: str) -> str:
    return name.replace("_", " ").title()


def can_tell() -> bool:
    """Whether the detector is installed: its authors build it for Python up to 3.13."""
    return _detector() is not None


@cache
def _detector() -> Any:
    try:
        import pycld2
    except ImportError:
        return None
    return pycld2
