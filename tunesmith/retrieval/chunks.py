"""Cut documents into chunks of about as many words, sentences kept whole, no chunk across two headings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tunesmith.retrieval.documents import Section

#: A sentence ends behind these marks, with the quotes and brackets that belong to it.
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'”’)»\]]*\s+|(?<=[。！？])")
#: A sentence that is longer than this many times a chunk's size is cut at words.
LONGEST = 2


@dataclass(frozen=True)
class Chunk:
    """A piece of a document: ``where`` is its file and line; ``title`` the headings above it."""

    text: str
    where: str
    title: str = ""

    @property
    def shown(self) -> str:
        """What a model is given: the text, under its title."""
        return f"{self.title}\n{self.text}" if self.title else self.text


def chunks_of(sections: Iterable[Section], words: int) -> Iterator[Chunk]:
    """The chunks of sections, each of at most ``words`` words unless one sentence is longer.

    No word is lost and none stands in two chunks.
    """
    for section in sections:
        title = " / ".join(section.title)
        for line, text in _packed(_sentences_of(section, words), words):
            yield Chunk(text, f"{section.path}:{line}", title)


def sentences(text: str) -> list[str]:
    """The sentences of a text, in order; joined by spaces they hold all of its words."""
    return [found for found in (piece.strip() for piece in _SENTENCE_END.split(text)) if found]


def _sentences_of(section: Section, words: int) -> Iterator[tuple[int, str]]:
    for line, paragraph in section.paragraphs:
        for sentence in sentences(paragraph):
            parts = sentence.split()
            if len(parts) <= LONGEST * words:
                yield line, sentence
            else:
                for start in range(0, len(parts), words):
                    yield line, " ".join(parts[start : start + words])


def _packed(pieces: Iterable[tuple[int, str]], words: int) -> Iterator[tuple[int, str]]:
    """Neighbouring pieces put together up to ``words`` words, each with the line of its first."""
    held: list[str] = []
    size = first = 0
    for line, piece in pieces:
        count = len(piece.split())
        if held and size + count > words:
            yield first, " ".join(held)
            held, size = [], 0
        first = first if held else line
        held.append(piece)
        size += count
    if held:
        yield first, " ".join(held)
