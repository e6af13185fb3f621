"""Texts without a question: how well the model foretells them, and how it goes on from their first half."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tunesmith.example import Example, Message
from tunesmith.learners.protocol import Prediction
from tunesmith.products import BaseModel, Dataset, EncodedRow, GoalSheet, Splits, TunedModel
from tunesmith.scoring.intervals import score
from tunesmith.scoring.likelihood import Foretold, measure_likelihood
from tunesmith.scoring.measure import TEXT_METRICS
from tunesmith.scoring.statistic import Mean
from tunesmith.stages.context import Context
from tunesmith.stages.test.answers import TUNED
from tunesmith.stages.test.rivals import TOKEN_FREQUENCIES
from tunesmith.stages.test.scored import Scored
from tunesmith.stages.test.side_by_side import Line, Shown, Span, WorstRow, clipped
from tunesmith.stages.test.wording import number

#: A continuation may be this much longer than the text that it stands beside, in tokens.
ROOM = 16


@dataclass(frozen=True)
class Documents:
    """The test part's texts as rows of tokens, and the model that is asked about them."""

    examples: Sequence[Example]
    rows: Sequence[EncodedRow]
    learner: Any
    base: BaseModel
    goal: GoalSheet
    tuned: TunedModel
    context: Context

    def scored(self, dataset: Dataset, split: Splits, **draw: int) -> dict[str, Scored]:
        """The tuned model and the token frequencies of the training part, measured on the same texts."""
        foretold = self.learner.predict.foretell(self.base, self.tuned, self.rows, on_progress=self._progress)
        lengths = [len(example.input.encode("utf-8", "replace")) for example in self.examples]
        by_model = [Foretold(nats, right, n, size) for (nats, right, n), size in zip(foretold, lengths, strict=True)]
        frequencies = Frequencies.of(dataset, split)
        by_frequency = [frequencies.foretell(row, size) for row, size in zip(self.rows, lengths, strict=True)]
        nothing = [Prediction("", 0.0, 0, 0.0)] * len(self.rows)
        return {
            TOKEN_FREQUENCIES.name: _scored(nothing, by_frequency, **draw),
            TUNED: _scored(nothing, by_model, **draw),
        }

    def _progress(self, done: int, total: int) -> None:
        self.context.progress(done, total, "texts")

    def continued(self, scored: Mapping[str, Scored], indices: Sequence[int]) -> list[WorstRow]:
        """The given texts cut in half, each with the model's own second half beside the true one."""
        halves = [_halves(self.examples[index].input) for index in indices]
        if not halves:
            return []
        answers = self.learner.predict.predict(
            TUNED,
            self.base,
            self.goal,
            self.tuned,
            [(Message.of("assistant", first),) for first, _ in halves],
            max_new_tokens=max(len(self.rows[index].tokens) for index in indices) // 2 + ROOM,
        )
        return [
            WorstRow(
                self.examples[index].id,
                self.examples[index].source.where,
                clipped(first),
                _lines(second),
                ((TUNED, _shown(answer, scored[TUNED], index)),),
            )
            for index, (first, second), answer in zip(indices, halves, answers, strict=True)
        ]


def _scored(answers: Sequence[Prediction], foretold: Sequence[Foretold], **draw: int) -> Scored:
    statistics = measure_likelihood(foretold)
    by_row = statistics[TEXT_METRICS[0]]
    assert isinstance(by_row, Mean)  # both are
    return Scored(
        answers, statistics, [score(name, statistic, **draw) for name, statistic in statistics.items()], by_row.values
    )


def _halves(text: str) -> tuple[str, str]:
    """The text cut at the word nearest to its middle."""
    cut = text.rfind(" ", 0, len(text) // 2 + 1)
    cut = cut if cut > 0 else len(text) // 2
    return text[:cut], text[cut:]


def _shown(answer: Prediction, scored: Scored, index: int) -> Shown:
    bits = scored.statistics["bits_per_byte"]
    assert isinstance(bits, Mean)
    remark = f"{number('bits_per_byte', float(bits.values[index]))} bits per byte"
    return Shown(_lines(answer.text or "(nothing)"), float(scored.by_row[index]), answer.confidence, remark)


def _lines(text: str) -> tuple[Line, ...]:
    return tuple(Line((Span(line),)) for line in clipped(text).split("\n"))


@dataclass(frozen=True)
class Frequencies:
    """How often each token is trained, float64 ``[vocabulary]``, each once more than it was seen."""

    counts: Any

    @classmethod
    def of(cls, dataset: Dataset, split: Splits) -> Frequencies:
        """Count the tokens of the training part's texts, without their ends."""
        ids = frozenset(split.ids("train"))
        counts = np.zeros(0)
        for row in dataset.rows():
            found = np.bincount(row.tokens)
            counts = np.pad(counts, (0, max(0, len(found) - len(counts))))
            if row.id in ids:
                counts[: len(found)] += np.bincount(text_tokens(row), minlength=len(found))
        return cls(counts + 1)

    def foretell(self, row: EncodedRow, size: int) -> Foretold:
        """One text, by these frequencies alone. ``size``: in bytes."""
        tokens = text_tokens(row)
        nats = -np.log(self.counts[tokens] / self.counts.sum()).sum()
        return Foretold(float(nats), sum(token == int(self.counts.argmax()) for token in tokens), len(tokens), size)


def text_tokens(row: EncodedRow) -> list[int]:
    """The tokens of a text, without the start and the end token."""
    return row.tokens[1:-1]
