"""Rows for trials without a project, and trainings whose outcome is made up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from tunesmith.events import Event
from tunesmith.example import Example, Message, Source, make_example
from tunesmith.products import BaseModel, EncodedRow, GoalSheet
from tunesmith.stages.train.settings import TrainSettings
from tunesmith.trials.rows import Material, Prepared
from tunesmith.trials.trial import Outcome, Trial

LABELS = ("billing", "delivery", "refund")
#: The error of a trial, by itself.
Error = Callable[[Trial], float]


def example(number: int, label: str, text: str = "") -> Example:
    messages = [Message.of("user", text or f"message {number} on {label}"), Message.of("assistant", label)]
    return make_example(messages, Source("rows.csv", number))


def prepared(folder: Path, *, train: int = 400, measured: int = 200, seed: int = 0) -> Prepared:
    """A classifier's rows: three labels in turn, and a base that is not there."""
    rows = [example(number, LABELS[number % 3]) for number in range(train)]
    held = [example(number, LABELS[number % 3]) for number in range(train, train + measured)]
    encoded = tuple(
        EncodedRow(row.id, [1, 2, 3 + number % 9], [False] * 3, number % 3, 1.0, 3) for number, row in enumerate(rows)
    )
    goal = GoalSheet("text", "label", "Which label?", labels=LABELS)
    base = BaseModel("small", "encoder", folder, 20_000, 256, "MIT", ("en",), "none", "ab", "for tests")
    notes: list[str] = []

    def hear(event: Event) -> None:
        if event.kind == "note":
            notes.append(event.data["text"])

    return Prepared(
        root=folder,
        folder=folder / "trials",
        work=folder / "work",
        cache=folder / "cache",
        seed=seed,
        settings=TrainSettings(),
        max_tokens=256,
        material=Material(goal, base, encoded, tuple(held)),
        train=tuple(rows),
        examples=train + 2 * measured,
        stopping=lambda: False,
        sink=hear,
    )


class Trainings:
    """In place of `carry_out` and `find`: scores by the trial's error, on rows that are hard for every trial alike.

    A trial takes a second for every ten rows of the ``clock``'s time.
    """

    def __init__(self, error: Error) -> None:
        self.error = error
        self.made: dict[str, Outcome] = {}
        self.asked: list[Trial] = []
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def find(self, prepared: Prepared, trial: Trial) -> Outcome | None:
        found = self.made.get(trial.id)
        return replace(found, cached=True) if found else None

    def carry_out(self, prepared: Prepared, trial: Trial) -> Outcome:
        if (found := self.find(prepared, trial)) is not None:
            return found
        self.asked.append(trial)
        hard = np.random.default_rng(1).random(len(trial.material.measured))
        own = np.random.default_rng(int(trial.id, 16) % 2**32).random(len(hard))
        wrong = np.where(own < 0.3, own / 0.3, hard) < self.error(trial)
        seconds = len(trial.rows) / 10
        self.now += seconds
        outcome = Outcome(trial.id, len(trial.rows), 1.0 - wrong, seconds, 1_000_000)
        self.made[trial.id] = outcome
        return outcome
