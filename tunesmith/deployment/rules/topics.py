"""Topics: whether a text means what a few examples mean, by the encoder's vectors."""

from __future__ import annotations

import hashlib
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
#: A longer text is looked at in pieces, since the encoder reads the beginning alone.
PIECE_WORDS, PIECE_CHARACTERS = 100, 700
MOST_PIECES = 64
#: Texts whose vectors are kept, since a conversation comes again with each turn.
KEPT = 1024

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


def fit(examples: Vectors, inputs: Vectors, threshold: float | None = None) -> Fit:
    """The threshold half way between what nearly all training inputs are below and most examples are above.

    Where the two overlap, it is just above the training inputs: a rule that stops the work that the model is there for
    is worse than one that misses a question. ``threshold`` given: what it means.
    """
    among = examples @ examples.T
    np.fill_diagonal(among, -1.0)
    own = among.max(axis=1)
    others = (inputs @ examples.T).max(axis=1) if len(inputs) else np.zeros(0, np.float32)
    if threshold is None:
        noise = float(np.quantile(others, 1 - FALSE_ALARMS, method="higher"))
        low = float(np.quantile(own, 1 - KNOWN, method="lower"))
        threshold = (noise + low) / 2 if low > noise else noise + 0.01
    return Fit(threshold, len(examples), int((own >= threshold).sum()), len(inputs), int((others >= threshold).sum()))


def pieces_of(text: str) -> list[str]:
    """The text in pieces that the encoder reads whole; of a very long one evenly spread ones."""
    words = [word[at : at + PIECE_CHARACTERS] for word in text.split() for at in range(0, len(word), PIECE_CHARACTERS)]
    pieces: list[str] = []
    count = size = 0
    begin = 0
    for number, word in enumerate(words):
        if count and (count == PIECE_WORDS or size + len(word) > PIECE_CHARACTERS):
            pieces.append(" ".join(words[begin:number]))
            begin, count, size = number, 0, 0
        count, size = count + 1, size + len(word) + 1
    pieces.append(" ".join(words[begin:]))
    if len(pieces) <= MOST_PIECES:
        return pieces
    return [pieces[int(at)] for at in np.linspace(0, len(pieces) - 1, MOST_PIECES)]


class Encoder:
    """Vectors of texts, on a thread of its own; what comes while it works is computed together next."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._thread = ThreadPoolExecutor(1, "tunesmith-topics")
        self._lock = Lock()
        self._waiting: list[tuple[list[str], Future[Vectors]]] = []
        self._kept: OrderedDict[bytes, Vectors] = OrderedDict()

    def vectors(self, texts: Sequence[str]) -> Future[Vectors]:
        """The vectors of all pieces of the texts."""
        future: Future[Vectors] = Future()
        with self._lock:
            self._waiting.append((list(texts), future))
        self._thread.submit(self._work)
        return future

    def _work(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        try:
            unknown = dict.fromkeys(text for texts, _ in waiting for text in texts if _key(text) not in self._kept)
            found = self._embedded(list(unknown))
            results = [
                np.concatenate([found[text] if text in found else self._kept[_key(text)] for text in texts])
                for texts, _ in waiting
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

    def is_met(self, vectors: Vectors) -> bool:
        return bool(len(vectors) and (vectors @ self.examples.T).max() >= self.threshold)
