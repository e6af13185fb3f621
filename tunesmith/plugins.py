"""Lazy look-up of learners through the entry points ``tunesmith.learners``.

Ours come in by the same door as anyone's: a package with the modules encode, load, loss, predict,
serve, export, replay and whole (and fresh, where it can make a model of nothing), and in its ``__init__`` the constants
SERVES (pairs of input and output kinds), BASES (kinds of base) and BATCHES ("tree" or "rows").
"""

from __future__ import annotations

import importlib
import importlib.util
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from tunesmith.errors import InputError

BUILT_IN = {"causal_lm": "tunesmith.learners.causal_lm", "classifier": "tunesmith.learners.classifier"}


class Learner:
    """The modules of one learner, each imported when it is first used."""

    def __init__(self, name: str, package: str) -> None:
        self.name = name
        self.package = package
        module = importlib.import_module(package)
        self.serves: frozenset[tuple[str, str]] = module.SERVES
        self.bases: frozenset[str] = module.BASES
        self.batches: str = module.BATCHES

    def _module(self, name: str) -> Any:
        return importlib.import_module(f"{self.package}.{name}")

    @property
    def encode(self) -> Any:
        return self._module("encode")

    @property
    def load(self) -> Any:
        return self._module("load")

    @property
    def loss(self) -> Any:
        return self._module("loss")

    @property
    def predict(self) -> Any:
        return self._module("predict")

    @property
    def serve(self) -> Any:
        return self._module("serve")

    @property
    def export(self) -> Any:
        return self._module("export")

    @property
    def replay(self) -> Any:
        return self._module("replay")

    @property
    def whole(self) -> Any:
        return self._module("whole")

    @property
    def fresh(self) -> Any:
        """Raises InputError where this learner cannot make a model of nothing."""
        if importlib.util.find_spec(f"{self.package}.fresh") is None:
            raise InputError(
                "base_cannot_do_this",
                f"the learner {self.name!r} cannot make a model from scratch",
                "tunesmith.yaml: base.model",
                "set base.model: auto, or choose one with `tunesmith base --list`",
            )
        return self._module("fresh")


@cache
def learners() -> dict[str, str]:
    """Learner names and their packages; installed plugins may add to the built-in ones."""
    found = {point.name: point.value for point in entry_points(group="tunesmith.learners")}
    return {**found, **BUILT_IN}


def learner(name: str) -> Learner:
    """Look a learner up by its name."""
    known = learners()
    if name not in known:
        raise InputError("unknown_learner", f"there is no learner named {name!r}", fix=f"known: {', '.join(known)}")
    return Learner(name, known[name])


def learner_for(base_kind: str, input: str, output: str) -> Learner:
    """The learner that serves this pair of input and output on this kind of base.

    Raises InputError when the base cannot do the task.
    """
    for name, package in sorted(learners().items()):
        candidate = Learner(name, package)
        if base_kind in candidate.bases and (input, output) in candidate.serves:
            return candidate
    raise InputError(
        "base_cannot_do_this",
        f"a base of the kind {base_kind!r} cannot turn {input} into {output}",
        "tunesmith.yaml: base.model",
        "set base.model: auto, or choose one with `tunesmith base --list`",
    )
