"""The arms: which there are for a task, and each measured on the same validation rows, in the time that is given."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tunesmith.answering.answerer import Prompt
from tunesmith.answering.cache import AnswerCache
from tunesmith.answering.equipment import Equipment, answerer, put, restored
from tunesmith.answering.setups import Setup
from tunesmith.events import Pace
from tunesmith.example import Example
from tunesmith.learners.protocol import Prediction
from tunesmith.stages.advise.compare import primary_metric, statistics_of
from tunesmith.stages.advise.instructions import candidates
from tunesmith.stages.advise.prompt_search import Tried, choose, rounds_for
from tunesmith.stages.advise.settings import AdviseSettings
from tunesmith.stages.context import Context

#: Prompts that are asked together: time and the user's wish to stop are looked at between them.
BLOCK = 16
#: Rows by which the time of an answer is measured before it is decided how many are asked.
TRIAL = 6
#: An answer with examples or documents before the question takes about so many times as long.
LONGER = 3
FEWEST = 20
#: A vote has no prompt to fill, and wants more examples than a prompt.
VOTES = 4


class TimeIsUp(Exception):
    """The time that was given for measuring is over."""


@dataclass
class Asking:
    """Asks set-ups, keeps the time and tells how far it is. ``total`` is how many answers are planned."""

    equipment: Equipment
    cache: AnswerCache
    context: Context
    minutes: float
    total: int = 0
    done: int = 0
    _planned_at: int = 0
    _pace: Pace = field(default_factory=lambda: Pace(None))
    _began: float = field(default_factory=time.monotonic)

    def plan(self, answers: int) -> None:
        """So many more answers will be asked for."""
        self.total = self.done + answers
        self._pace = Pace(answers)
        self._planned_at = self.done

    @property
    def seconds_left(self) -> float:
        return 60 * self.minutes - (time.monotonic() - self._began)

    def check_time(self) -> None:
        """Raise TimeIsUp where no time is left."""
        if self.seconds_left < 0:
            raise TimeIsUp

    def pause(self, seconds: float) -> None:
        """Do not count seconds that went into something else."""
        self._began += seconds

    def ask(self, setup: Setup, prompts: Sequence[Prompt], *, of_shelf: bool = False) -> list[Prediction]:
        """Answer the prompts by a set-up; ``of_shelf``: those of training examples.

        Raises TimeIsUp; what was answered until then is kept.
        """
        given = put(setup, prompts, self.equipment, of_shelf=of_shelf)
        who = answerer(setup, self.equipment)
        answers: list[Prediction] = []
        for start in range(0, len(prompts), BLOCK):
            self.context.check()
            self.check_time()
            answers += self.cache.answer(who, given.prompts[start : start + BLOCK])
            self.done += len(given.prompts[start : start + BLOCK])
            self._tell()
        return restored(setup, self.equipment.goal, answers)

    def _tell(self) -> None:
        left = self._pace.seconds_left(self.done - self._planned_at)
        total = max(self.total, self.done)
        self.context.progress(self.done, total, "answers", min(left, max(0.0, self.seconds_left)) if left else None)


@dataclass(frozen=True)
class Arm:
    """An arm as measured: its answers to the validation rows. ``build``: seconds to make it."""

    setup: Setup
    answers: list[Prediction]
    build: float


@dataclass(frozen=True)
class Found:
    """The arms that were measured, why others were not, and the prompts that were tried."""

    arms: list[Arm]
    left_out: dict[str, str]
    tried: list[Tried]
    rows: int


@dataclass(frozen=True)
class Seconds:
    """How long it took to make what arms rest on: vectors of the training examples, the index of the documents,
    the tuned model."""

    shelf: float = 0.0
    knowledge: float = 0.0
    training: float = 0.0


def names_for(equipment: Equipment, tuned: str | None) -> tuple[list[str], dict[str, str]]:
    """The arms of a task in order, and why others are left out. ``tuned``: why there is no tuned model."""
    base, goal = equipment.base, equipment.goal
    arms = ["bare", "prompt", "examples", "retrieval", "tuned", "tuned_retrieval"]
    out: dict[str, str] = {}
    if base.from_scratch:
        out |= dict.fromkeys(arms[:4], "a fresh model knows nothing before it is trained")
    if base.kind == "encoder":
        out |= dict.fromkeys(("retrieval", "tuned_retrieval"), "does not apply: a classifier reads no documents")
    elif equipment.knowledge is None:
        out |= dict.fromkeys(("retrieval", "tuned_retrieval"), "no documents: advise.knowledge names none")
    if equipment.shelf is None or not equipment.shelf.examples:
        out["examples"] = "there are no training examples"
    elif base.kind == "encoder" and goal.output == "label" and equipment.shelf.index.vectors is None:
        out["examples"] = "the training examples have no vectors"
    if tuned is not None:
        out |= {name: tuned for name in ("tuned", "tuned_retrieval") if name not in out}
    return [name for name in arms if name not in out], {name: out[name] for name in arms if name in out}


def measure(
    asking: Asking,
    training: Sequence[Example],
    validation: Sequence[Example],
    settings: AdviseSettings,
    seconds: Seconds,
    *,
    no_tuned: str | None,
    prepare_tuned: Callable[[], Equipment],
) -> Found:
    """Measure every arm of the task on the same validation rows; prompts are chosen on training rows.

    ``no_tuned``: why there is no tuned model, or None; ``prepare_tuned`` gives the equipment with one that has not seen
    the validation rows, and is called when its turn comes.
    """
    names, left_out = names_for(asking.equipment, no_tuned)
    if not names:
        return Found([], left_out, [], 0)
    search = _Search(asking, training, settings)
    rows = _rows_in_time(asking, names, validation, search)
    prompts = [row.prompt for row in rows]
    search.rows = search.rows[: len(rows)]
    asking.plan(len(names) * len(rows) + search.planned(names))
    arms: list[Arm] = []
    for name in names:
        try:
            if name.startswith("tuned") and not any(arm.setup.model == "tuned" for arm in arms):
                asking.check_time()
                began = time.monotonic()
                asking.equipment = prepare_tuned()
                asking.pause(time.monotonic() - began)
            setup = search.setup(name)
            build = search.build(name, seconds)
            same = [arm.setup.name for arm in arms if arm.setup == _renamed(setup, arm.setup.name)]
            if same:
                none_better = "no better prompt was found than yours"
                left_out[name] = none_better if name == "prompt" else f"it is the same as {same[0]}"
                continue
            arms.append(Arm(setup, asking.ask(setup, prompts), build))
        except TimeIsUp:
            left_out[name] = "the time was up; with more advise.minutes it goes on from here"
    return Found(arms, left_out, search.tried, len(rows))


def _renamed(setup: Setup, name: str) -> Setup:
    return Setup.from_json({**setup.as_json(), "name": name})


def _rows_in_time(
    asking: Asking, names: Sequence[str], validation: Sequence[Example], search: _Search
) -> Sequence[Example]:
    """As many validation rows as can be answered by every arm in the time that is given, by a trial."""
    first = "bare" if "bare" in names else names[0]
    if first != "bare" or len(validation) <= FEWEST:
        return validation
    trial = validation[:TRIAL]
    asking.plan(len(trial))
    answered = asking.ask(Setup(first), [row.prompt for row in trial])
    each = statistics.mean(answer.seconds for answer in answered)
    weights = sum(LONGER if name in ("examples", "retrieval", "tuned_retrieval") else 1 for name in names)
    tried = search.planned(names) / max(1, len(search.rows))
    afford = int(asking.seconds_left / max(1e-9, each * (weights + tried)))
    kept = max(FEWEST, min(len(validation), afford))
    if kept < len(validation):
        asking.context.note(
            f"{kept} of {len(validation)} validation rows are asked, to end in about {asking.minutes:g} minutes "
            "(advise.minutes)"
        )
    return validation[:kept]


class _Search:
    """The set-up of each arm; those that need a choice are chosen when their turn comes."""

    def __init__(self, asking: Asking, training: Sequence[Example], settings: AdviseSettings) -> None:
        self.asking = asking
        self.settings = settings
        self.rows = list(training)
        self.tried: list[Tried] = []
        equipment = asking.equipment
        self._encoder = equipment.base.kind == "encoder"
        answers = [row.answer or "" for row in training]
        self.candidates = candidates(equipment.goal, answers, name="prompt", sentence_encoder=self._encoder)
        self._best: Setup | None = None
        self._spent: dict[str, float] = {}

    def planned(self, names: Sequence[str]) -> int:
        """How many answers choosing takes."""
        half = max(1, len(self.rows) // 2)
        count = 0
        if "prompt" in names:
            count += sum(many * rows for many, rows in rounds_for(len(self.candidates), len(self.rows)))
            if not self._encoder:
                if "retrieval" in names:
                    count += sum(many * rows for many, rows in rounds_for(len(self.candidates), half))
                count += 2 * half * ("examples" in names)
        return count

    def setup(self, name: str) -> Setup:
        """The set-up of an arm. Raises TimeIsUp."""
        settings = self.settings
        if name in ("bare", "tuned"):
            return Setup(name, "tuned" if name == "tuned" else "base")
        if name == "tuned_retrieval":
            return Setup(name, "tuned", chunks=settings.chunks)
        if name == "prompt":
            self._best = self._chosen(name, self.candidates, self.rows)
            return self._best
        if self._encoder:
            return Setup(name, votes=VOTES * settings.examples)
        # What the documents alone can tell no prompt tells without them, so all are tried again with them.
        more = {"examples": settings.examples} if name == "examples" else {"chunks": settings.chunks}
        tried = [Setup(name), self._best or Setup(name)] if name == "examples" else self.candidates
        setups = [Setup.from_json({**one.as_json(), "name": name, **more}) for one in tried]
        return self._chosen(name, list(dict.fromkeys(setups)), self.rows[: max(1, len(self.rows) // 2)])

    def _chosen(self, name: str, setups: Sequence[Setup], rows: Sequence[Example]) -> Setup:
        self._spent[name] = 0.0
        if len(setups) == 1 or not rows:
            return setups[0]
        goal = self.asking.equipment.goal
        metric = primary_metric(goal)

        def score(setup: Setup, some: Sequence[Example]) -> float:
            answers = self.asking.ask(setup, [row.prompt for row in some], of_shelf=True)
            self._spent[name] += sum(answer.seconds for answer in answers)
            return statistics_of(goal, some, answers)[metric].estimate()

        setup, tried = choose(setups, rows, score)
        self.tried += tried
        return setup

    def build(self, name: str, seconds: Seconds) -> float:
        """Seconds that it took to make an arm: choosing its prompt, vectors, the index, the training."""
        chosen = self._spent.get(name, 0.0)
        if name == "examples":
            return chosen + self._spent.get("prompt", 0.0) + seconds.shelf
        if name == "retrieval":
            return chosen + seconds.knowledge
        return chosen + {"tuned": seconds.training, "tuned_retrieval": seconds.training + seconds.knowledge}.get(
            name, 0.0
        )
