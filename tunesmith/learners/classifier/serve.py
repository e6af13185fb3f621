"""A tuned classifier that stays loaded: probabilities of labels, and vectors, for a server."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn.functional import normalize

from tunesmith.example import Message
from tunesmith.learners.classifier.encode import encoder
from tunesmith.learners.classifier.load import TRIED, load_tuned
from tunesmith.learners.classifier.predict import batches_of
from tunesmith.products import BaseModel, EncodedRow, GoalSheet, TunedModel

GIVES = "labels"


class Labeller:
    """The tuned encoder with its head. C labels, F features."""

    def __init__(self, base: BaseModel, goal: GoalSheet, tuned: TunedModel) -> None:
        self.labels = goal.labels
        self._encoder = encoder(base, goal, base.context)
        self._network = load_tuned(tuned.folder, self._encoder.tokenizer.pad_token_id)
        self._network.to_predict([_row(self._encoder.tokens(label)) for label in goal.labels[:TRIED]])

    def tokens(self, prompt: Sequence[Message]) -> list[int]:
        """Token ids of a prompt's text, as in training. Raises InputError ``input_too_long``."""
        return self._encoder.prompt_tokens(prompt)

    @torch.inference_mode()
    def score(self, rows: Sequence[list[int]], *, vectors: bool = False) -> list[tuple[list[float], list[float]]]:
        """For each row of tokens the probabilities [C] and, if asked for, the unit vector [F] of what enters the head.

        Rows of like length are computed together.
        """
        found: list[tuple[list[float], list[float]]] = [([], [])] * len(rows)
        for batch in batches_of(rows):
            logits, features = self._network.forward([_row(rows[at]) for at in batch])  # (B, C), (B, F)
            probabilities = logits.softmax(1).tolist()
            units = normalize(features, dim=1).tolist() if vectors else [[]] * len(batch)
            for at, scored, unit in zip(batch, probabilities, units, strict=True):
                found[at] = scored, unit
        return found


def _row(tokens: list[int]) -> EncodedRow:
    return EncodedRow("", tokens, [], None, 1.0, len(tokens))


def compute_alone() -> None:
    """Have this thread compute by itself: called by each of those that score batches side by side."""
    torch.set_num_threads(1)


def open_model(base: BaseModel, goal: GoalSheet, tuned: TunedModel) -> Labeller:
    return Labeller(base, goal, tuned)
