"""Two forms of a text for comparing it with others: `normalise` for equal, `bare` for nearly equal."""

from __future__ import annotations

import unicodedata
from hashlib import blake2b


def normalise(text: str) -> str:
    """NFKC, case folded, every run of white space one space: texts that a person would call the same.

    Punctuation stays, since C and C++ or 5 and -5 are not the same.
    """
    if text.isascii():  # much faster, and the same
        return " ".join(text.lower().split())
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.split())


class _Bare(dict[int, str | int]):
    """For str.translate: punctuation, symbols and control characters become spaces. Filled as characters turn up."""

    def __missing__(self, code: int) -> str | int:
        category = unicodedata.category(chr(code))
        keep = category[0] in "LMN" or category in ("Cn", "Co")  # unassigned here may be a letter in a newer Unicode
        self[code] = code if keep else " "
        return self[code]


_BARE = _Bare()


def bare(text: str) -> str:
    """The normal form without punctuation and symbols, unless nothing else is there."""
    normal = normalise(text)
    return " ".join(normal.translate(_BARE).split()) or normal


def fingerprint(*texts: str) -> bytes:
    """16 bytes that differ when the texts do (blake2b over length-prefixed UTF-8)."""
    hasher = blake2b(digest_size=16)
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        hasher.update(b"%d:" % len(data))
        hasher.update(data)
    return hasher.digest()


def words_sorted(text: str) -> str:
    """A bare text with its words sorted, bare too: texts that differ in the order of their words alone are equal."""
    ordered = " ".join(sorted(text.split()))
    return ordered if ordered.isascii() else bare(ordered)
