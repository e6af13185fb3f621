"""Cut a text into words, in any script.

ROUGE's own tokenizer keeps a to z and 0 to 9 alone, so "größe" would become two words and Japanese none.
"""

from __future__ import annotations

import unicodedata

#: Scripts that write no spaces between words: each character counts as one.
_UNSPACED = ("CJK ", "HIRAGANA ", "KATAKANA ", "THAI ", "LAO ", "KHMER ", "MYANMAR ")


class _Table(dict[int, str]):
    """What each character becomes, worked out when it is first met."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        category = unicodedata.category(character)
        if category[0] == "L" and unicodedata.name(character, "").startswith(_UNSPACED):
            text = f" {character}"
        else:
            text = character if category[0] in "LMN" else " "
        self[code] = text
        return text


_TABLE = _Table()


def words(text: str) -> list[str]:
    """Lower-cased runs of letters, marks and digits."""
    return text.lower().translate(_TABLE).split()


class Tokenizer:
    """`words` in the form that the rouge-score package takes."""

    def tokenize(self, text: str) -> list[str]:
        return words(text)
