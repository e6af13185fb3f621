"""The trained model, its ledger, and what training brought and cost."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunesmith.artifact import Artifact
from tunesmith.errors import InputError
from tunesmith.example_parquet import read_rows


@dataclass(frozen=True)
class TrainedExample:
    """What training did with one example: the optimizer ``steps`` (from 1) that it was in, how many of them led to
    the weights that were kept, and its mean ``loss`` a trained token (or label) the last time."""

    id: str
    steps: list[int]
    times_kept: int
    loss: float | None


@dataclass(frozen=True)
class GroupGain:
    """What training brought a group of ``n`` validation rows: their mean loss before it and at the kept step, the
    95% interval of what it fell by (None for very few rows), and the share of their tokens (or labels, or pairs)
    that were right. ``kind``: tag, label, source, or the name of a field; an empty ``name`` stands for all groups
    that are too small to be told apart."""

    kind: str
    name: str
    n: int
    loss_before: float
    loss: float
    gain_low: float | None
    gain_high: float | None
    accuracy_before: float
    accuracy: float

    @property
    def gain(self) -> float:
        return self.loss_before - self.loss

    @property
    def is_rest(self) -> bool:
        return not self.name


@dataclass(frozen=True)
class Forgetting:
    """Whether training cost general ability. ``code``: kept, little_lost, much_lost or not_measured; ``words`` say why.

    ``loss_before`` and ``loss``: of the base and of the tuned model, a token of the base's own answers to ``n`` general
    prompts, with the 95% interval of the difference; ``right``: the share of these tokens that the tuned model
    would still choose.
    """

    code: str
    words: str
    advice: str = ""
    n: int = 0
    loss_before: float = 0.0
    loss: float = 0.0
    low: float = 0.0
    high: float = 0.0
    right: float = 0.0


@dataclass(frozen=True)
class TunedModel:
    """The trained model in the form that the ecosystem loads.

    ``folder``: a PEFT adapter or a whole model, with tokenizer and model card. ``curve``: a list
    of measurements by step. ``verdict``: code and plain words. ``recipe``: every setting as used. ``groups``: what
    each group of validation rows gained. ``forgetting``: what became of general ability; None for a model
    that gives no answers.
    """

    folder: Path
    learner: str
    recipe: dict[str, Any]
    curve: tuple[dict[str, Any], ...]
    verdict: dict[str, Any]
    facts: dict[str, Any]
    groups: tuple[GroupGain, ...] = ()
    forgetting: Forgetting | None = None

    def trained_examples(self) -> Iterator[TrainedExample]:
        """The ledger of the training that made the weights: every example that it was given.

        Raises InputError for a model that was trained before there was a ledger.
        """
        ledger = self.folder.parent / "examples.parquet"
        if not ledger.exists():  # an artifact whose files are not all there is not opened, so it never had one
            raise InputError(
                "no_ledger",
                "this model was trained before Tunesmith kept a ledger of which example was trained when",
                str(self.folder.parent),
                "`tunesmith train` trains it again, with a ledger",
            )
        for row in read_rows(ledger):
            yield TrainedExample(**row)

    def hardest(self, count: int) -> list[TrainedExample]:
        """The examples with the highest loss the last time they were trained, the highest first."""
        trained = (line for line in self.trained_examples() if line.loss is not None)
        return heapq.nlargest(count, trained, key=lambda line: line.loss or 0.0)

    @classmethod
    def open(cls, artifact: Artifact) -> TunedModel:
        data = artifact.read_json("train.json")
        return cls(
            artifact.path / "model",
            data["learner"],
            data["recipe"],
            tuple(data["curve"]),
            data["verdict"],
            data["facts"],
            tuple(GroupGain(**group) for group in data.get("groups", ())),
            Forgetting(**data["forgetting"]) if data.get("forgetting") else None,
        )
