"""Clusters of texts by their vectors, and the words that name them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tunesmith.similarity.embeddings import Vectors

Ints = npt.NDArray[np.int64]

#: Numbers of clusters that are tried; the one with the best silhouette is taken.
SIZES = (4, 6, 8, 12, 16, 24)
#: A cluster has this many rows on average at least.
ROWS_A_CLUSTER = 10
#: The centres are found on at most this many rows, the silhouette on this many.
FITTED, JUDGED = 4000, 1000
#: A typical word has so many times the share of the cluster's words that it has of all: "the" names no kind of input.
TYPICAL = 1.5
_WORD = re.compile(r"[^\W\d_]{3,}")
#: A word that fewer texts of a cluster have names nobody's cluster, and may be a person's name.
TEXTS_WITH_WORD = 3


@dataclass(frozen=True)
class Clusters:
    """``of [rows]``: the cluster of each row, numbered by size, the largest first; ``central``: the row nearest to the
    middle of each."""

    of: Ints
    central: tuple[int, ...]


def cluster(vectors: Vectors) -> Clusters | None:
    """K-means over unit vectors ``[rows, dimensions]``; the same rows give the same clusters.

    None for too few rows, and for rows that are hardly told apart.
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    draw = np.random.default_rng(0).permutation(len(vectors))
    fitted = vectors[np.sort(draw[:FITTED])].astype(np.float32)
    judged = fitted[:: max(1, len(fitted) // JUDGED)]
    different = len(np.unique(fitted, axis=0))
    sizes = [size for size in SIZES if size * ROWS_A_CLUSTER <= len(vectors) and size <= different]
    if not sizes:
        return None
    with threadpool_limits(1):  # its threads spin while they wait, and sums in another order give other clusters
        models = [KMeans(size, n_init=2, random_state=0).fit(fitted) for size in sizes]
        scores = [_silhouette(judged, model.predict(judged)) for model in models]
    centres = models[int(np.argmax(scores))].cluster_centers_.astype(np.float32)
    return _by_size(vectors, centres)


def _silhouette(vectors: npt.NDArray[np.float32], of: Ints) -> float:
    """The mean silhouette; the lowest that there is where it is not defined, for one cluster or as many as rows."""
    from sklearn.metrics import silhouette_score

    return float(silhouette_score(vectors, of)) if 1 < len(np.unique(of)) < len(of) else -1.0


def _by_size(vectors: Vectors, centres: npt.NDArray[np.float32]) -> Clusters:
    """Give each row its nearest centre (squared distance of unit vectors)."""
    blocks = [vectors[start : start + 8192].astype(np.float32) @ centres.T for start in range(0, len(vectors), 8192)]
    closeness = 2 * np.concatenate(blocks) - (centres**2).sum(axis=1)
    nearest = closeness.argmax(axis=1)
    counts = np.bincount(nearest, minlength=len(centres))
    order = [int(number) for number in np.argsort(-counts, kind="stable") if counts[number]]
    place = np.zeros(len(centres), np.int64)
    place[order] = np.arange(len(order))
    central = tuple(
        int(np.flatnonzero(nearest == number)[closeness[nearest == number, number].argmax()]) for number in order
    )
    return Clusters(place[nearest], central)


def typical_words(texts: Sequence[str], of: Ints, count: int = 4) -> list[list[str]]:
    """The words that set each cluster's texts apart from the others, the most typical first.

    Class-based TF-IDF: a word's share of the cluster's words times log(1 + average words a cluster / its count in all)
    (M. Grootendorst, "BERTopic", arXiv:2203.05794, section 3.3), here times the logarithm of how many times its
    share of all words that is, so that "the" stays behind.
    """
    size = int(of.max()) + 1 if len(of) else 0
    words: list[Counter[str]] = [Counter() for _ in range(size)]
    holders: list[Counter[str]] = [Counter() for _ in range(size)]
    for text, number in zip(texts, of.tolist(), strict=True):
        found = _WORD.findall(text.lower())
        words[number].update(found)
        holders[number].update(set(found))
    everywhere = sum(words, Counter())
    overall = max(1, sum(everywhere.values()))
    average = sum(everywhere.values()) / max(1, size)
    named = []
    for own, held in zip(words, holders, strict=True):
        total = max(1, sum(own.values()))
        weights = {}
        for word, number in own.items():
            times = number / total / (everywhere[word] / overall)
            if held[word] >= TEXTS_WITH_WORD and times >= TYPICAL:
                weights[word] = number / total * np.log1p(average / everywhere[word]) * np.log(times)
        named.append(sorted(weights, key=lambda word: (-weights[word], word))[:count])
    return named
