"""How many years of school a text asks for. Of English alone: syllables are counted from its spelling."""

from __future__ import annotations

import re

#: Shorter texts have no level worth telling: one long word would decide.
FEWEST_WORDS = 10

_WORD = re.compile(r"[a-z]+(?:['’][a-z]+)*")
#: The end of a sentence, an empty line, or the line before an item of a list.
_SENTENCE_END = re.compile(r"[.!?…]+(?=\s|$|[\"'”’)])|\n\s*\n|\n(?=\s*[-*•]|\s*\d+[.)])")
_VOWELS = re.compile(r"[aeiouy]+")
#: A final e, -ed or -es that is not spoken: time, asked, times; but not table, wanted, boxes.
_SILENT = re.compile(r"[^aeiouyl]e$|[aeiouy]le$|[^aeiouytd]ed$|[^aeiouysxzcgh]es$|(?<![sc])hes$")
#: Vowels beside each other that are spoken apart: idea, lion, usual, video, buying, create, quiet; and prism.
_APART = re.compile(
    r"(?<![tcsgx])i[ao](?!u)|(?<![gq])ua(?!r)|eo(?!u|n$)|[aiouy]ing|(?<!c)rea(?=te|ti)|crea|iu|ie(?=t$|ty$)|(?<=[dr])ea$|sm$"
)


def grade(text: str) -> float | None:
    """The Flesch-Kincaid grade level: 8 is what pupils of 13 or 14 read; None for a text of fewer than ten words.

    0.39 words a sentence + 11.8 syllables a word - 15.59: J. P. Kincaid, R. P. Fishburne, R. L. Rogers and
    B. S. Chissom, "Derivation of new readability formulas", Research Branch Report 8-75, Naval Technical Training
    Command (1975).
    """
    words = _WORD.findall(text.lower())
    if len(words) < FEWEST_WORDS:
        return None
    sentences = sum(bool(_WORD.search(part.lower())) for part in _SENTENCE_END.split(text))
    return 0.39 * len(words) / max(1, sentences) + 11.8 * sum(map(syllables, words)) / len(words) - 15.59


def syllables(word: str) -> int:
    """How many syllables an English word has, as far as its spelling tells: runs of vowels, but for silent ones."""
    bare = re.sub(r"['’].*", "", word.lower())
    count = len(_VOWELS.findall(bare)) + len(_APART.findall(bare))
    return max(1, count - bool(_SILENT.search(bare)))
