"""What the training data looked like, in figures: what traffic is held against. It holds no text.

Layout of ``serve/profiles/TRAINING.json`` in a project's own folder: the fields of `Profile`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tunesmith.artifact import make_folder, read_json, write_json
from tunesmith.errors import InputError
from tunesmith.language import language_of
from tunesmith.scoring.statistic import FloatArray
from tunesmith.similarity.clusters import cluster
from tunesmith.similarity.embeddings import Vectors

#: In a project's own folder.
FOLDER = "serve/profiles"
VERSION = 1
#: Training rows that are looked at, evenly spread.
MOST = 5_000
#: Rows from which on a reference says something.
FEWEST = 50
#: Stands where the language of a text is not sure.
UNSURE = "not sure"


@dataclass(frozen=True)
class Profile:
    """``numbers``: a sample of each figure of the reference, ``kinds``: of each kind, ``from_``: what rows they are of.

    ``centres`` ``[clusters, dimensions]``: unit vectors that the training inputs lie around, by the encoder whose
    weights have the sha256 ``encoder``; empty without one.
    """

    training: str
    numbers: Mapping[str, Sequence[float]]
    kinds: Mapping[str, Sequence[str]]
    of: Mapping[str, str]
    centres: Sequence[Sequence[float]] = ()
    encoder: str = ""
    version: int = field(default=VERSION)

    def distances(self, vectors: Vectors) -> FloatArray:
        """One less the cosine to the nearest centre, float64 ``[texts]``, of unit vectors ``[texts, dimensions]``."""
        return _distances(vectors, np.array(self.centres, np.float32))


def make_profile(
    training: str,
    inputs: Sequence[str],
    answers: Mapping[str, Sequence[Any]],
    vectors: Vectors | None = None,
    encoder: str = "",
) -> Profile:
    """The profile of these training inputs.

    ``answers`` are what the test found of the tuned model's answers, each a list or empty: ``label``, ``confidence``
    and ``fits_schema``. ``vectors`` ``[inputs, dimensions]`` of the inputs: the centres are found on every other one,
    and the distances measured on the rest, since rows lie nearer to centres that they made.
    """
    languages = [found.code if (found := language_of(text)) else UNSURE for text in inputs]
    numbers: dict[str, list[float]] = {"characters": [float(len(text)) for text in inputs]}
    kinds: dict[str, list[str]] = {"language": languages}
    of = {"characters": "training rows", "language": "training rows"}
    centres: list[list[float]] = []
    if vectors is not None and len(vectors) >= 2 * FEWEST:
        made = _centres(vectors[::2])
        centres = [[round(float(value), 4) for value in row] for row in made]
        numbers["distance"] = [round(float(one), 5) for one in _distances(vectors[1::2], np.array(centres, np.float32))]
        of["distance"] = "training rows"
    for name, values in answers.items():
        if values:
            of[name] = "test answers"
            if name == "label":
                kinds[name] = [str(value) for value in values]
            else:
                numbers[name] = [float(value) for value in values]
    return Profile(training, numbers, kinds, of, centres, encoder if centres else "")


def read_profile(root: Path, training: str) -> Profile | None:
    """The profile that was made for a training; None where there is none, or an older one."""
    path = root / FOLDER / f"{training}.json"
    if not path.exists():
        return None
    try:
        found = Profile(**read_json(path))
    except (InputError, TypeError):
        return None  # it is made again
    return found if found.version == VERSION else None


def write_profile(root: Path, profile: Profile) -> Path:
    """Keep a profile, whole or not at all."""
    path = root / FOLDER / f"{profile.training}.json"
    make_folder(path.parent)
    write_json(path, asdict(profile))
    return path


def _centres(vectors: Vectors) -> Any:
    """Unit vectors in the middle of each cluster; of all rows where they fall into none."""
    found = cluster(vectors)
    of = np.zeros(len(vectors), np.int64) if found is None else found.of
    middles = np.stack([vectors[of == number].astype(np.float32).mean(axis=0) for number in range(int(of.max()) + 1)])
    return middles / np.maximum(np.linalg.norm(middles, axis=1, keepdims=True), 1e-12)


def _distances(vectors: Vectors, centres: Any) -> FloatArray:
    found: FloatArray = 1.0 - (vectors.astype(np.float32) @ centres.T).max(axis=1).astype(np.float64)
    return found
