"""An index of documents: their chunks, to be searched by words and by meaning; built once and kept by content."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tunesmith.artifact import fsync, hash_of, make_folder, read_json, write_json
from tunesmith.errors import InputError
from tunesmith.example_parquet import RowWriter, read_rows
from tunesmith.retrieval.chunks import Chunk, chunks_of
from tunesmith.retrieval.documents import fingerprint, read_sections
from tunesmith.retrieval.keywords import Keywords
from tunesmith.retrieval.search import Hit, best
from tunesmith.similarity.embeddings import Vectors, embed

VERSION = 1
#: Under .tunesmith: the indexes that were built.
FOLDER = "knowledge"
CHUNKS, ABOUT = "chunks.parquet", "index.json"
_CHUNK = pa.schema([*((name, pa.string()) for name in ("text", "where", "title")), ("vector", pa.binary())])
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Index:
    """Texts to be searched. ``vectors``: their unit vectors ``[texts, dimensions]`` by the ``encoder`` in that folder,
    None where only words count."""

    texts: tuple[str, ...]
    keywords: Keywords
    vectors: Vectors | None = None
    encoder: Path | None = None

    @classmethod
    def of(
        cls,
        texts: Sequence[str],
        encoder: Path | None,
        vectors: Vectors | None = None,
        on_progress: Progress = lambda done, total: None,
    ) -> Index:
        """Index texts; those whose ``vectors`` are known are not embedded again."""
        if vectors is None and encoder is not None and texts:
            vectors = embed(texts, encoder, on_progress)
        return cls(tuple(texts), Keywords(texts), vectors if encoder is not None else None, encoder)

    def search(
        self, questions: Sequence[str], count: int, leave_out: Sequence[int | None] | None = None
    ) -> list[list[Hit]]:
        """The ``count`` best texts for each question, the best first.

        ``leave_out``: for each question a text that must not be found, such as the question itself.
        """
        if not self.texts or not questions:
            return [[] for _ in questions]
        meanings: Sequence[np.ndarray | None] = [None] * len(questions)
        if self.vectors is not None and self.encoder is not None:
            meanings = list(embed(questions, self.encoder, hold=True).astype(np.float32))
        left = leave_out or [None] * len(questions)
        return [
            best(self.keywords, self.meanings, question, meaning, count, out)
            for question, meaning, out in zip(questions, meanings, left, strict=True)
        ]

    @cached_property
    def meanings(self) -> npt.NDArray[np.float32] | None:
        """The vectors as they are computed with, float32; made at the first question, and kept."""
        return None if self.vectors is None else self.vectors.astype(np.float32)

    @property
    def bytes(self) -> int:
        """About what it takes in memory: texts and vectors, these as they are kept and as they are computed with."""
        vectors = (self.vectors, self.meanings)
        return sum(len(text.encode()) for text in self.texts) + sum(one.nbytes for one in vectors if one is not None)


@dataclass(frozen=True)
class Knowledge:
    """Documents as chunks, and their index, which took so many ``seconds`` to build."""

    chunks: tuple[Chunk, ...]
    index: Index
    seconds: float = 0.0

    def search(self, questions: Sequence[str], count: int) -> list[list[Chunk]]:
        """The chunks that fit each question best, the best first."""
        return [[self.chunks[hit.index] for hit in hits] for hits in self.index.search(questions, count)]


def key_of(place: Path, words: int, encoder_sha256: str | None) -> str:
    """What the index of these documents is known by: their contents, the size of chunks and the encoder."""
    return hash_of({"version": VERSION, "documents": fingerprint(place), "words": words, "encoder": encoder_sha256})


def build_or_open(
    place: Path,
    words: int,
    keep: Path,
    *,
    encoder: Path | None = None,
    encoder_sha256: str | None = None,
    on_progress: Progress = lambda done, total: None,
) -> Knowledge:
    """The index of the documents at ``place``, from the folder ``keep`` where it was built before.

    It is written whole or not at all. Without an ``encoder`` (its folder, and the hash of its weights) words alone
    are searched. Raises InputError ``no_knowledge`` where there is nothing to read.
    """
    folder = keep / key_of(place, words, encoder_sha256 if encoder else None)
    try:
        return open_index(folder, encoder)
    except InputError:
        pass  # not there, or damaged: it is built anew
    began = time.monotonic()
    chunks = list(chunks_of(read_sections(place), words))
    if not chunks:
        fix = "let advise.knowledge name documents with text in them"
        raise InputError("no_knowledge", "the documents hold no text", str(place), fix)
    index = Index.of([chunk.shown for chunk in chunks], encoder, on_progress=on_progress)
    knowledge = Knowledge(tuple(chunks), index, time.monotonic() - began)
    _write(knowledge, folder)
    return knowledge


def open_index(folder: Path, encoder: Path | None) -> Knowledge:
    """Open an index that was written. Raises InputError ``damaged_artifact`` when it is not whole."""
    about = read_json(folder / ABOUT)
    rows = list(read_rows(folder / CHUNKS))
    vectors: Vectors | None = None
    try:
        seconds = float(about["seconds"])
        chunks = tuple(Chunk(row["text"], row["where"], row["title"]) for row in rows)
        if about["vectors"]:
            vectors = np.stack([np.frombuffer(row["vector"], np.float16) for row in rows])
    except (ValueError, TypeError, KeyError) as error:
        raise _damaged(folder, str(error)) from error
    if len(chunks) != about.get("chunks"):
        raise _damaged(folder, "its parts do not fit")
    texts = [chunk.shown for chunk in chunks]
    index = Index.of(texts, encoder if vectors is not None else None, vectors)
    return Knowledge(chunks, index, seconds)


def _damaged(folder: Path, why: str) -> InputError:
    what = f"the index of the documents is damaged ({why})"
    return InputError("damaged_artifact", what, str(folder), "delete this folder: the index is built again")


def _write(knowledge: Knowledge, folder: Path) -> None:
    make_folder(folder.parent)
    work = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    vectors = knowledge.index.vectors
    try:
        with RowWriter(work / CHUNKS, _CHUNK) as writer:
            for at, chunk in enumerate(knowledge.chunks):
                vector = vectors[at].tobytes() if vectors is not None else b""
                writer.write({"text": chunk.text, "where": chunk.where, "title": chunk.title, "vector": vector})
        about = {"chunks": len(knowledge.chunks), "vectors": vectors is not None, "seconds": knowledge.seconds}
        write_json(work / ABOUT, about)
        for path in work.iterdir():
            fsync(path)
        shutil.rmtree(folder, ignore_errors=True)  # a damaged one
        work.rename(folder)
        fsync(folder.parent)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
