"""Forbidden words and phrases: whole words, in any case, and as people disguise them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from tunesmith.deployment.rules.folded import TOKEN, Folded, fold
from tunesmith.deployment.rules.spans import Place, first_open, joined
from tunesmith.privacy.plain_form import UNSPACED

#: Characters that may stand between the words of a phrase.
WIDEST_GAP = 8
#: Characters that may stand between letters that are spelled out.
WIDEST_STEP = 3
#: Shorter words that are spelled out are looked for as all that is spelled there: "a s s e t" is no "ass".
SHORTEST_WITHIN = 5
SHORTEST_SPELLED = 3

_LAST = -1
_Token = tuple[str, int, int]
_IS_UNSPACED = re.compile(f"[{UNSPACED}]")


class Words:
    """Find words in texts. What is found does not depend on what stands more than a phrase's length away.

    With ``disguised`` the texts are compared without accents, invisible characters and look-alike letters, and words
    that are s-p-e-l-l-e-d out are found.
    """

    def __init__(self, words: Sequence[str], *, disguised: bool = True) -> None:
        self._disguised = disguised
        self._phrases: dict[str, list[tuple[str, ...]]] = {}
        self._beginnings: set[tuple[str, ...]] = set()
        self._spelled: set[str] = set()
        for word in words:
            tokens = tuple(token for token, _, _ in self._tokens(self._fold(word)))
            if tokens and tokens not in self._phrases.setdefault(tokens[0], []):
                self._phrases[tokens[0]].append(tokens)
                self._beginnings.update(tokens[:count] for count in range(1, len(tokens)))
            letters = "".join(tokens)
            if disguised and letters.isalpha() and len(letters) >= SHORTEST_SPELLED and not _IS_UNSPACED.search(word):
                self._spelled.add(letters)
        phrases = [phrase for some in self._phrases.values() for phrase in some]
        self._most_tokens = max(map(len, phrases), default=0)
        self._longest_token = max((len(token) for phrase in phrases for token in phrase), default=0)
        self._lengths = sorted({len(word) for word in self._spelled})
        longest = max((sum(map(len, phrase)) + WIDEST_GAP * len(phrase) for phrase in phrases), default=0)
        #: Characters before a text that must be seen with it: one spelled word, or one phrase.
        self.reach = max(longest, (WIDEST_STEP + 1) * (2 + max(self._lengths, default=0))) + 1

    def spans(self, text: str, start: int = 0) -> list[Place]:
        """Where the words stand, those that overlap as one; what ends before ``start`` is left out."""
        folded = self._fold(text)
        tokens = self._tokens(folded)
        found = [*self._found_phrases(folded.text, tokens), *self._found_spelled(folded.text, tokens)]
        return [place for place in joined(_raw(folded, found)) if place[1] > start]

    def open_from(self, text: str, start: int = 0) -> int:
        """From where on it is not settled what is found, while the text goes on."""
        folded = self._fold(text)
        tokens = self._tokens(folded)
        end = len(folded.text)
        at = end
        whole = tokens
        if tokens and tokens[_LAST][2] == end and not _IS_UNSPACED.match(tokens[_LAST][0]):
            whole = tokens[:_LAST]  # the last word may go on
            if len(tokens[_LAST][0]) <= self._longest_token:
                at = tokens[_LAST][1]
        at = min(at, self._open_phrase(folded.text, whole, at), self._open_spelled(folded.text, tokens))
        return max(start, first_open(self.spans(text, start), folded.place(at)))

    def _fold(self, text: str) -> Folded:
        return fold(text, disguised=self._disguised)

    def _tokens(self, folded: Folded) -> list[_Token]:
        return [(found[0], found.start(), found.end()) for found in TOKEN.finditer(folded.text)]

    def _found_phrases(self, text: str, tokens: Sequence[_Token]) -> Iterator[tuple[int, int]]:
        for number, (token, start, _) in enumerate(tokens):
            for phrase in self._phrases.get(token, ()):
                run = tokens[number : number + len(phrase)]
                if tuple(one for one, _, _ in run) == phrase and _is_close(text, run):
                    yield start, run[_LAST][2]

    def _open_phrase(self, text: str, whole: Sequence[_Token], end: int) -> int:
        """Where the longest beginning of a phrase starts with which the text ends."""
        for count in range(min(self._most_tokens - 1, len(whole)), 0, -1):
            run = whole[-count:]
            near = end - run[_LAST][2] <= WIDEST_GAP and _is_close(text, run)
            if near and tuple(one for one, _, _ in run) in self._beginnings:
                return run[0][1]
        return end

    def _found_spelled(self, text: str, tokens: Sequence[_Token]) -> Iterator[tuple[int, int]]:
        if not self._spelled:
            return
        for run in _runs(text, tokens):
            letters = "".join(letter for letter, _, _ in run)
            if letters in self._spelled:
                yield run[0][1], run[_LAST][2]
            for length in self._lengths:
                for start in range(len(letters) - length + 1) if length >= SHORTEST_WITHIN else ():
                    if letters[start : start + length] in self._spelled:
                        yield run[start][1], run[start + length - 1][2]

    def _open_spelled(self, text: str, tokens: Sequence[_Token]) -> int:
        """Where the letters start that the text ends with, and that may go on to spell a word."""
        end = len(text)
        if not self._spelled or not tokens or len(tokens[_LAST][0]) > 1 or end - tokens[_LAST][2] > WIDEST_STEP:
            return end
        most = max(self._lengths)
        last: list[_Token] = []
        for run in _runs(text, tokens[-(most + 3) :]):
            last = run
        if last and last[_LAST] == tokens[_LAST]:
            # of more letters than the longest word has, only the last may still belong to one
            return last[-most][1] if len(last) > most + 1 else last[0][1]
        return tokens[_LAST][1]


def _raw(folded: Folded, places: Iterable[Place]) -> Iterator[Place]:
    """The places in the raw text; marks and invisible characters after a word belong to it."""
    return ((folded.place(start), folded.place(end)) for start, end in places)


def _is_close(text: str, run: Sequence[_Token]) -> bool:
    return all(after[1] - before[2] <= WIDEST_GAP for before, after in pairwise(run))


def _runs(text: str, tokens: Sequence[_Token]) -> Iterator[list[_Token]]:
    """Letters that stand alone one after the other, with the same between each and the next."""
    run: list[_Token] = []
    for token in tokens:
        step = text[run[_LAST][2] : token[1]] if run else ""
        single = len(token[0]) == 1
        same = len(run) < 2 or step == text[run[-2][2] : run[_LAST][1]]
        near = bool(run) and single and 0 < len(step) <= WIDEST_STEP
        if near and same:
            run.append(token)
            continue
        if len(run) > 1:
            yield run
        # the last letter may begin another run, with a wider or narrower step
        run = [run[_LAST], token] if near else [token] if single else []
    if run:
        yield run
