"""What a change of training rows should bring, by a quick classifier: never on the test part.

A logistic regression on the encoder's vectors learns the training rows as they are and as they would be, and both
answer the validation rows. The tuned model will gain less where it was not misled, and the interval says how little
a few validation rows can tell.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tunesmith.example import Example
from tunesmith.example_parquet import read_rows
from tunesmith.products import CleanSet, Gain
from tunesmith.scoring.paired import difference
from tunesmith.scoring.statistic import Mean

HOW = (
    "a quick classifier on the encoder's vectors, taught the training rows with and without this, "
    "measured on {n:,} validation rows"
)
FEWEST = 20
MOST_CELLS = 8_000_000
RESAMPLES = 2000
STRENGTH = 10.0

Floats = npt.NDArray[np.float32]


def vectors_by_id(clean: CleanSet) -> dict[str, Floats]:
    """The vectors that `clean` made of the kept rows' inputs; none where it did not look at their meaning."""
    path = clean.path / "embeddings.parquet"
    if not path.exists():
        return {}
    return {
        row["id"]: np.frombuffer(row["vector"], np.float16).astype(np.float32)
        for row in read_rows(path, ["id", "vector"])
    }


@dataclass(frozen=True)
class QuickClassifier:
    """Rows with a label and a vector: those to learn from, and those to be right on."""

    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    vectors: Mapping[str, Floats]

    def gain(self, relabelled: Mapping[str, str], removed: Collection[str]) -> tuple[Gain | None, str]:
        """What other labels for rows, and rows without which, should bring; and how that was found, or why not.

        Rows of the validation part that are themselves in question are not measured on.
        """
        asked = [row for row in self.validation if row.id not in relabelled and row.id not in removed]
        why = self._why_not(len(asked))
        if why:
            return None, f"not known: {why}"
        kept = [row for row in self.train if row.id not in removed]
        labels = [relabelled.get(row.id, row.answer or "") for row in kept]
        if [row.id for row in kept] == [row.id for row in self.train] and labels == [row.answer for row in kept]:
            return None, "not known: the rows are not among those to train on"
        if len(set(labels)) < 2:
            return None, "not known: fewer than two labels would be left"
        after = self._right([row.id for row in kept], labels, asked)
        before = self._before(asked)
        found = difference("accuracy", ("with", Mean(after)), ("without", Mean(before)), resamples=RESAMPLES)
        return Gain(found.value, found.low, found.high), HOW.format(n=len(asked))

    def _why_not(self, asked: int) -> str:
        if not self.vectors:
            return "rows were not looked at by their meaning (clean.encoder)"
        if asked < FEWEST:
            return f"{asked:,} validation rows are too few"
        if len(self._names) < 2:
            return "the training rows have fewer than two labels"
        if len(self.train) * len(self._names) > MOST_CELLS:
            return "there are too many rows and labels for a quick classifier"
        return ""

    @cached_property
    def _names(self) -> set[str]:
        return {row.answer or "" for row in self.train}

    @cached_property
    def _model(self) -> object:
        return self._fit([row.id for row in self.train], [row.answer or "" for row in self.train])

    def _before(self, asked: list[Example]) -> npt.NDArray[np.float64]:
        return self._score(self._model, asked)

    def _right(self, ids: list[str], labels: list[str], asked: list[Example]) -> npt.NDArray[np.float64]:
        return self._score(self._fit(ids, labels), asked)

    def _fit(self, ids: list[str], labels: list[str]) -> object:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(C=STRENGTH, max_iter=100, tol=1e-3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(np.stack([self.vectors[id] for id in ids]), labels)
        return model

    def _score(self, model: object, asked: list[Example]) -> npt.NDArray[np.float64]:
        answers = model.predict(np.stack([self.vectors[row.id] for row in asked]))  # type: ignore[attr-defined]
        return np.array([answer == row.answer for answer, row in zip(answers, asked, strict=True)], np.float64)


def quick_classifier(
    rows: Mapping[str, Example], train: Collection[str], validation: Collection[str], clean: CleanSet
) -> QuickClassifier:
    """Of the rows with a vector those of each part."""
    vectors = vectors_by_id(clean)
    parts = [tuple(rows[id] for id in part if id in vectors and id in rows) for part in (train, validation)]
    return QuickClassifier(parts[0], parts[1], vectors)
