"""A budget of time for trials: whether the next one still fits, by what those before took."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tunesmith.training.sampler import steps_in_epoch
from tunesmith.trials.trial import Outcome, Trial


def rows_computed(trial: Trial) -> float:
    """How many rows a trial computes, about: passes over its rows, and the measured ones once.

    Where `train` chooses its own passes it takes about 100 steps at the least.
    """
    from tunesmith.training.recipe import choose

    fresh = trial.material.base.parameters if trial.material.base.from_scratch else None
    settings = trial.settings.model_copy(update={"precision": "float32"})  # auto would measure, and change no count
    recipe = choose(settings, trial.material.learner.name, trial.rows, trial.seed, fresh)
    each = len(trial.rows) / steps_in_epoch(len(trial.rows), recipe.batch_size)
    return 3 * recipe.steps * each + len(trial.material.measured)


@dataclass
class Budget:
    """``minutes`` from now. Trials that were made before cost nothing.

    ``clock`` gives seconds; tests put their own in its place.
    """

    minutes: float
    clock: Callable[[], float] = time.monotonic
    began: float = field(init=False)
    _pace: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.began = self.clock()

    @property
    def left(self) -> float:
        """Seconds."""
        return 60 * self.minutes - (self.clock() - self.began)

    def learn(self, trial: Trial, outcome: Outcome) -> None:
        """Take in what a trial took, made now or before."""
        self._pace[trial.material.base.name] = outcome.seconds / rows_computed(trial)

    def seconds(self, trial: Trial) -> float | None:
        """What a trial will take; None while nothing was seen of its base."""
        pace = self._pace.get(trial.material.base.name)
        return None if pace is None else pace * rows_computed(trial)

    def allows(self, trial: Trial) -> bool:
        """Whether the trial is likely to end in time; the first of a base is allowed while any time is left."""
        seconds = self.seconds(trial)
        return self.left > (seconds or 0.0)
