"""Topics: whether a text means what a few examples mean, by the encoder's vectors."""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
import numpy.typing as npt

from tunesmith.similarity.embeddings import embed

#: Of the training inputs at most this share may look like a topic that is fitted.
FALSE_ALARMS = 0.005
#: Of the examples at least this share should be known by the others.
KNOWN = 0.9
#: Words of a sentence that is looked at with the next, and of one that is looked at in parts.
SHORTEST_SENTENCE, LONGEST_SENTENCE = 4, 60
#: Of a text without spaces.
CHARACTERS = 500
MOST_PIECES = 64
#: Texts whose vectors are kept, since a conversation comes again with each turn.
KEPT = 1024

_SENTENCE_END = re.compile(r"(?<=[.!?;])\s|(?<=[。！？])|\n")
#: Unit vectors ``[texts, dimensions]``.
Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Fit:
    """A threshold (cosine), and what it means: ``known`` of ``examples`` examples are like another one, and ``over`` of
    ``inputs`` training inputs are like one."""

    threshold: float
    examples: int
    known: int
    inputs: int
    over: int

    @property
    def words(self) -> str:
        told = f"{self.known} of {self.examples} examples are known by the others"
        if self.inputs:
            told += f", and {self.over} of {self.inputs:,} training inputs are over it"
        return f"threshold {self.threshold:.2f}: {told}"

    @property
    def stands_out(self) -> bool:
        """Whether the examples can be told from the training inputs."""
        return 2 * self.known >= self.examples


def nearness(texts: Sequence[Vectors], examples: Vectors) -> npt.NDArray[np.float32]:
    """How near each text comes to any of the examples, by its nearest sentence: cosines ``[texts]``."""
    return np.array([(vectors @ examples.T).max() for vectors in texts], np.float32)


def among(examples: Sequence[Vectors]) -> npt.NDArray[np.float32]:
    """How near each example comes to any other."""
    others = (np.concatenate([*examples[:at], *examples[at + 1 :]]) for at in range(len(examples)))
    return np.array([(one @ rest.T).max() for one, rest in zip(examples, others, strict=True)], np.float32)


def fit(own: npt.NDArray[np.float32], others: npt.NDArray[np.float32], threshold: float | None = None) -> Fit:
    """The threshold between what nearly all training inputs are below and most examples are above, a quarter of the
    way up: there are many training inputs and few examples, so the lower end is known better.

    Where the two overlap, it is just above the training inputs: a rule that stops the work that the model is there for
    is worse than one that misses a question. ``own``: how near each example comes to the others, ``others``: how near
    each training input comes to the examples (cosines). ``threshold`` given: what it means.
    """
    if threshold is None:
        noise = float(np.quantile(others, 1 - FALSE_ALARMS, method="higher"))
        low = float(np.quantile(own, 1 - KNOWN, method="lower"))
        threshold = noise + (low - noise) / 4 if low > noise else noise + 0.01
    return Fit(threshold, len(own), int((own >= threshold).sum()), len(others), int((others >= threshold).sum()))


def pieces_of(text: str) -> list[str]:
    """The sentences of a text, since one among many would be lost in the mean of all; long ones in parts, short ones
    with the next; of very many evenly spread ones."""
    pieces: list[str] = []
    waiting: list[str] = []
    for sentence in _SENTENCE_END.split(text.strip()):
        waiting += sentence.split()
        if len(waiting) < SHORTEST_SENTENCE:
            continue
        pieces += [" ".join(waiting[at : at + LONGEST_SENTENCE]) for at in range(0, len(waiting), LONGEST_SENTENCE)]
        waiting = []
    if waiting or not pieces:
        pieces.append(" ".join(waiting))
    pieces = [piece[at : at + CHARACTERS] for piece in pieces for at in range(0, max(1, len(piece)), CHARACTERS)]
    if len(pieces) <= MOST_PIECES:
        return pieces
    return [pieces[int(at)] for at in np.linspace(0, len(pieces) - 1, MOST_PIECES)]


class Encoder:
    """Vectors of texts, on a thread of its own; what comes while it works is computed together next."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._thread = ThreadPoolExecutor(1, "tunesmith-topics")
        self._lock = Lock()
        self._waiting: list[tuple[list[str], Future[list[Vectors]]]] = []
        self._kept: OrderedDict[bytes, Vectors] = OrderedDict()

    def vectors(self, texts: Sequence[str]) -> Future[list[Vectors]]:
        """The vectors of each text's sentences."""
        future: Future[list[Vectors]] = Future()
        with self._lock:
            self._waiting.append((list(texts), future))
        self._thread.submit(self._work)
        return future

    def _work(self) -> None:
        with self._lock:
            taken, self._waiting = self._waiting, []
        # a client may have gone meanwhile; from here on it cannot, so that the others of the batch are answered
        waiting = [(texts, future) for texts, future in taken if future.set_running_or_notify_cancel()]
        if not waiting:
            return
        try:
            unknown = dict.fromkeys(text for texts, _ in waiting for text in texts if _key(text) not in self._kept)
            found = self._embedded(list(unknown))
            results = [
                [found[text] if text in found else self._kept[_key(text)] for text in texts] for texts, _ in waiting
            ]
        except Exception as error:
            for _, future in waiting:
                future.set_exception(error)
            return
        self._keep(found)
        for (_, future), vectors in zip(waiting, results, strict=True):
            future.set_result(vectors)

    def _embedded(self, texts: Sequence[str]) -> dict[str, Vectors]:
        pieces = [pieces_of(text) for text in texts]
        if not pieces:
            return {}
        vectors = embed([piece for some in pieces for piece in some], self._folder, hold=True).astype(np.float32)
        ends = np.cumsum([len(some) for some in pieces])
        return dict(zip(texts, np.split(vectors, ends[:-1]), strict=True))

    def _keep(self, found: dict[str, Vectors]) -> None:
        for text, vectors in found.items():
            self._kept[_key(text)] = vectors
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


@dataclass(frozen=True)
class Topic:
    """Texts that mean what the examples mean."""

    encoder: Encoder
    examples: Vectors
    threshold: float

    def is_met(self, texts: Sequence[Vectors]) -> bool:
        return bool((nearness(texts, self.examples) >= self.threshold).any())
