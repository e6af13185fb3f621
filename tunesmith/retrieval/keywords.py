"""How well texts fit a question by its words: BM25.

S. Robertson and H. Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009; in the form of Lucene, by
the package bm25s (X. H. Lù, arXiv 2407.03618).
"""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
_WORD = re.compile(r"\w+")


def terms(text: str) -> list[str]:
    """The words of a text as they are compared: without case, accents and marks."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return _WORD.findall("".join(letter for letter in plain if not unicodedata.combining(letter)))


class Keywords:
    """Texts, to be searched by their words."""

    def __init__(self, texts: Sequence[str]) -> None:
        found = [terms(text) for text in texts]
        self._count = len(texts)
        self._bm25: Any = None
        if any(found):
            import bm25s

            logging.getLogger("bm25s").setLevel(logging.WARNING)  # it asks for every message when it is imported
            self._bm25 = bm25s.BM25(method="lucene")
            self._bm25.index(found, show_progress=False)

    def scores(self, question: str) -> Floats:
        """The score of each text, float32 ``[texts]``; 0 where they share no word."""
        known = [term for term in terms(question) if self._bm25 is not None and term in self._bm25.vocab_dict]
        if not known:
            return np.zeros(self._count, np.float32)
        return np.asarray(self._bm25.get_scores(known), np.float32)
