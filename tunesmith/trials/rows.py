"""What a trial is given of a project: the rows to train on, and the validation rows to measure on.

The test part is not read: `Splits` is opened for the parts train and validation alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunesmith.answering.limit import limit_for
from tunesmith.artifact import Artifact
from tunesmith.errors import InputError
from tunesmith.events import Event, Sink
from tunesmith.example import Example
from tunesmith.leak_certificate import check_certificate
from tunesmith.learners.protocol import Refusal
from tunesmith.plugins import Learner, learner_for
from tunesmith.products import BaseModel, CleanSet, Dataset, EncodedRow, GoalSheet, Splits
from tunesmith.stages.train.settings import TrainSettings

if TYPE_CHECKING:
    from tunesmith.project import Project
    from tunesmith.project_file import ProjectSettings

#: Of fewer rows of the validation part nothing can be told.
FEWEST_MEASURED = 10


@dataclass(frozen=True)
class Material:
    """One base and the rows as it sees them: ``train`` in the split's order, and the ``measured`` examples.

    ``refused``: how many rows of both parts this base cannot be shown.
    """

    goal: GoalSheet
    base: BaseModel
    train: tuple[EncodedRow, ...]
    measured: tuple[Example, ...]
    refused: int = 0

    @property
    def learner(self) -> Learner:
        return learner_for(self.base.kind, self.goal.input, self.goal.output)

    @cached_property
    def answer_limit(self) -> int:
        """Tokens that an answer may have."""
        return limit_for(self.train, self.base.context)


@dataclass(frozen=True)
class Prepared:
    """A project that is made as far as its split: what trials start from.

    ``examples``: how many rows all parts have together; ``train``: the examples of ``material.train``, in its order.
    """

    root: Path
    folder: Path
    work: Path
    cache: Path
    seed: int
    settings: TrainSettings
    max_tokens: int
    material: Material
    train: tuple[Example, ...]
    examples: int
    stopping: Callable[[], bool]
    sink: Sink

    def note(self, text: str) -> None:
        self.sink(Event("note", "advise", {"text": text}))

    def with_base(self, base: BaseModel) -> Material:
        """The same rows as another base sees them; those that it cannot be shown are left out and counted."""
        mine = self.material
        learner = learner_for(base.kind, mine.goal.input, mine.goal.output)
        encoder = learner.encode.encoder(base, mine.goal, min(self.max_tokens, base.context))
        seen = [encoder.encode(example) for example in self.train]
        rows = tuple(row for row in seen if not isinstance(row, Refusal))
        shown = tuple(one for one in mine.measured if not isinstance(encoder.encode(one), Refusal))
        refused = len(seen) - len(rows) + len(mine.measured) - len(shown)
        return Material(mine.goal, base, rows, shown, refused)


def prepare(
    project: Project,
    settings: ProjectSettings,
    made: dict[str, Artifact],
    stopping: Callable[[], bool],
    sink: Sink,
) -> Prepared:
    """Read the rows of the parts train and validation of what was ``made``.

    Raises InputError where there is nothing to train on, to measure on, or no answer to measure.
    """
    goal, base = GoalSheet.open(made["goal"]), BaseModel.open(made["base"])
    clean, dataset = CleanSet.open(made["clean"]), Dataset.open(made["format"])
    split = Splits.open(made["split"], holder="advise", readable=("train", "validation"))
    check_certificate(split, clean, ("train", "validation"))
    ids = {part: split.ids(part) for part in ("train", "validation")}  # type: ignore[arg-type]
    examples = {one.id: one for one in clean.examples({*ids["train"], *ids["validation"]})}
    shown = {row.id: row for row in dataset.rows(frozenset(examples))}
    train = [shown[id] for id in ids["train"] if id in shown]
    measured = [examples[id] for id in ids["validation"] if id in shown]
    if any(example.is_document for example in examples.values()):
        raise InputError(
            "trials_need_answers",
            "rows without a question have no answer that a trial could measure",
            "tunesmith.yaml: collect",
            "`tunesmith test` measures how well such texts are foretold",
        )
    if not train or len(measured) < FEWEST_MEASURED:
        raise InputError(
            "too_few_to_measure",
            f"the validation part has {len(measured)} rows that can be measured, and {FEWEST_MEASURED} are needed",
            "split",
            "give more examples, or a larger split.validation",
        )
    sizes: Any = made["split"].counts
    total = sum(int(sizes.get(part, 0)) for part in ("train", "validation", "test"))
    return Prepared(
        root=project.root,
        folder=project.store.root / "trials",
        work=project.store.work,
        cache=project.cache,
        seed=settings.seed,
        settings=settings.train,
        max_tokens=int(dataset.facts["max_tokens"]),
        material=Material(goal, base, tuple(train), tuple(measured)),
        train=tuple(examples[row.id] for row in train),
        examples=total or len(train) + len(measured),
        stopping=stopping,
        sink=sink,
    )
