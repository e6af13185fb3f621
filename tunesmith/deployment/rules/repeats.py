"""Whether an answer repeats what the model was given: so many of the same words in a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from tunesmith.deployment.rules.folded import TOKEN, Folded, fold
from tunesmith.deployment.rules.spans import Place, first_open, joined

#: A secret text of fewer words than count as a repetition is one where it has so many, and is repeated whole.
SHORTEST = 4
#: Longer runs of letters are no words that could be repeated.
LONGEST_WORD = 64  # characters

_Run = tuple[str, ...]
_Token = tuple[str, int, int]


class Repeats:
    """Find runs of ``in_a_row`` words of ``secrets`` that are not the client's own words (``known``)."""

    def __init__(self, secrets: Sequence[str], known: Sequence[str], in_a_row: int) -> None:
        runs = set().union(*(_runs_of(text, in_a_row) for text in secrets)) if secrets else set()
        self._lengths = sorted({len(run) for run in runs})
        own = {run for text in known for length in self._lengths for run in _runs(_words(text), length)}
        self._runs = runs - own
        self._beginnings = {run[:count] for run in self._runs for count in range(1, len(run))}
        #: Characters before a text that must be seen with it.
        self.reach = (LONGEST_WORD + 16) * max(self._lengths, default=0)

    def spans(self, text: str, start: int = 0) -> list[Place]:
        """Where words are repeated; what ends before ``start`` is left out."""
        folded = fold(text)
        return [place for place in joined(self._found(folded, _tokens(folded))) if place[1] > start]

    def open_from(self, text: str, start: int = 0) -> int:
        """From where on it is not settled what is found, while the text goes on."""
        if not self._runs:
            return len(text)
        folded = fold(text)
        tokens = _tokens(folded)
        at = len(folded.text)
        if tokens and tokens[-1][2] == at:  # the last word may go on
            last = tokens.pop()
            if at - last[1] > LONGEST_WORD:
                return len(text)
            at = last[1]
        words = tuple(word for word, _, _ in tokens[-max(self._lengths) :])
        for count in range(len(words), 0, -1):
            if words[-count:] in self._beginnings:
                at = tokens[-count][1]
                break
        return max(start, first_open(self.spans(text, start), folded.place(at)))

    def _found(self, folded: Folded, tokens: Sequence[_Token]) -> Iterator[Place]:
        words = tuple(word for word, _, _ in tokens)
        for length in self._lengths:
            for start in range(len(words) - length + 1):
                if words[start : start + length] in self._runs:
                    yield folded.place(tokens[start][1]), folded.place(tokens[start + length - 1][2])


def _tokens(folded: Folded) -> list[_Token]:
    return [(found[0], found.start(), found.end()) for found in TOKEN.finditer(folded.text)]


def _words(text: str) -> _Run:
    return tuple(TOKEN.findall(fold(text).text))


def _runs(words: _Run, length: int) -> Iterator[_Run]:
    return (words[start : start + length] for start in range(len(words) - length + 1))


@lru_cache(maxsize=64)
def _runs_of(text: str, in_a_row: int) -> frozenset[_Run]:
    words = _words(text)
    if SHORTEST <= len(words) < in_a_row:
        return frozenset((words,))
    return frozenset(_runs(words, in_a_row))
