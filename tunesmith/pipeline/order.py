"""What needs what. Only this module knows the order of the stages."""

from __future__ import annotations

import importlib
from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tunesmith import products
from tunesmith.products import Part

if TYPE_CHECKING:
    from tunesmith.project_file import ProjectSettings


@dataclass(frozen=True)
class Stage:
    """A stage's word, the stages whose products it is given, and what it may read of the splits.

    ``may_use``: what it is given too, where that is made and up to date. ``whole_goal``: whether a change of the
    success criteria makes it stale; for the others only the task counts (input, output, system prompt, labels, schema).
    """

    name: str
    product: Any
    needs: tuple[str, ...]
    may_read: tuple[Part, ...] = ("train", "validation")
    whole_goal: bool = False
    keeps_work: bool = False
    may_use: tuple[str, ...] = ()

    def given(self, made: Container[str]) -> tuple[str, ...]:
        """What it is given: all that it needs, and what is there of the rest."""
        return (*self.needs, *(name for name in self.may_use if name in made))

    @property
    def module(self) -> Any:
        return importlib.import_module(f"tunesmith.stages.{self.name}.run")


_STAGES = (
    Stage("goal", products.GoalSheet, ()),
    Stage("base", products.BaseModel, ("goal", "collect")),
    Stage("collect", products.Collection, ()),
    Stage("clean", products.CleanSet, ("goal", "collect")),
    Stage("format", products.Dataset, ("goal", "base", "clean")),
    Stage("split", products.Splits, ("goal", "clean", "format")),
    Stage(
        "advise",
        products.Advice,
        ("goal", "base", "clean", "format", "split"),
        whole_goal=True,
        keeps_work=True,
        may_use=("train",),
    ),
    Stage("train", products.TunedModel, ("goal", "base", "clean", "format", "split"), keeps_work=True),
    Stage(
        "test",
        products.Report,
        ("goal", "base", "collect", "clean", "format", "split", "train"),
        may_read=("train", "validation", "test"),
        whole_goal=True,
    ),
    # It is given the report, which shows test rows, to tell what is missing; the split's test part stays locked for it.
    Stage(
        "improve",
        products.Proposal,
        ("goal", "base", "clean", "format", "split", "train", "test"),
        whole_goal=True,
    ),
)

BY_NAME = {stage.name: stage for stage in _STAGES}

#: The words in the order in which a user thinks of them.
STAGES: tuple[str, ...] = tuple(BY_NAME)

#: The order in which they are made. The goal comes after collect, because labels and schema that
#: the user did not give are read from the data; base after both, because `auto` looks at them; advise after train,
#: because it measures the tuned model where there is one.
MAKING: tuple[str, ...] = ("collect", "goal", "base", "clean", "format", "split", "train", "advise", "test", "improve")

#: What a fresh model needs instead: its tokenizer is made of the training text, so the rows are split before it
#: is made, and `format`, which needs the tokenizer, comes after both.
_FROM_SCRATCH = {"base": ("goal", "clean", "split"), "split": ("goal", "clean")}


@dataclass(frozen=True)
class Order:
    """The stages by their words, and the order in which they are made."""

    stages: Mapping[str, Stage]
    making: tuple[str, ...]


TUNING = Order(BY_NAME, MAKING)
FROM_SCRATCH = Order(
    {name: replace(stage, needs=_FROM_SCRATCH.get(name, stage.needs)) for name, stage in BY_NAME.items()},
    ("collect", "goal", "clean", "split", "base", "format", "train", "advise", "test", "improve"),
)


#: What a plain `tunesmith run` does not make: it is made when it is asked for.
ON_REQUEST = frozenset({"advise", "improve"})


def order_for(settings: ProjectSettings) -> Order:
    """The order of a project: a fresh model is made of the rows, any other base is chosen before them."""
    return FROM_SCRATCH if settings.base.from_scratch else TUNING


def upstream(name: str, order: Order = TUNING) -> tuple[str, ...]:
    """The stages to make for this one, itself included, in making order."""
    wanted = {name}
    for stage in reversed(order.making):
        if stage in wanted:
            wanted |= set(order.stages[stage].needs)
            if stage == "goal":
                wanted.add("collect")
    return tuple(stage for stage in order.making if stage in wanted)


def open_product(stage: Stage, artifact: Any, reader: Stage) -> Any:
    """Open an artifact as its product, for a stage that reads it."""
    if stage.product is products.Splits:
        return products.Splits.open(artifact, holder=reader.name, readable=reader.may_read)
    return stage.product.open(artifact)
