"""The advice: which set-up to use, from what was measured. A pure function, so that its rules can be read and tested.

The burden of proof is on what costs more. A set-up that meets the goal with its whole interval is good enough, and the
simplest such one is advised. Otherwise the simplest is advised that is as good as the best: behind by no more than the
margin, and not shown to be worse. Where the rows cannot show that training, or anything at all, is worth it, that is
what is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tunesmith.stages.advise.wording import ARMS, metric_name, points
from tunesmith.wording import listed, percent

Answer = Literal["prompt", "examples", "retrieval", "tuned", "tuned_retrieval", "cannot_tell"]
#: From the simplest to the most work; what each is an answer for.
ANSWERS: dict[str, Answer] = {
    "bare": "prompt",
    "prompt": "prompt",
    "examples": "examples",
    "retrieval": "retrieval",
    "tuned": "tuned",
    "tuned_retrieval": "tuned_retrieval",
}
TRAINED = frozenset({"tuned", "tuned_retrieval"})
#: Fewer rows say nothing.
FEWEST_ROWS = 15
#: With fewer training rows, tuning a model is rarely worth it.
FEW_TO_TRAIN = 50
SURE = 0.05


@dataclass(frozen=True)
class ArmFacts:
    """One arm as measured. ``meets``: whether its whole interval reaches every criterion; None without criteria.

    ``misses``: whether no part of it reaches one. ``behind``: the best arm's score less its own, with the lower end of
    the 95% interval, and the p-value after Holm's correction.
    """

    name: str
    value: float
    low: float
    high: float
    n: int
    meets: bool | None
    misses: bool
    behind: float
    behind_low: float
    behind_p: float

    @property
    def worse(self) -> bool:
        """Whether it is shown to be worse than the best."""
        return self.behind_p < SURE and self.behind_low > 0

    @property
    def trained(self) -> bool:
        return self.name in TRAINED

    def as_good(self, margin: float) -> bool:
        return not self.worse and self.behind <= margin


@dataclass(frozen=True)
class TaskFacts:
    """What the advice rests on beside the arms. ``knowledge``: whether there are documents, None where the model reads
    none. ``strict``: the answers have a fixed form (labels, schema, rules)."""

    metric: str
    training_rows: int
    knowledge: bool | None
    strict: bool
    margin: float


@dataclass(frozen=True)
class Advised:
    """``arm``: the one to use, of those measured the best guess where the ``answer`` is cannot_tell."""

    answer: Answer
    arm: str | None
    words: str
    reasons: tuple[str, ...]
    changes: tuple[str, ...]


def advise(arms: Sequence[ArmFacts], task: TaskFacts) -> Advised:
    """Say which set-up to use, why, and when that would change. ``arms`` may come in any order."""
    order = list(ANSWERS)
    measured = sorted(arms, key=lambda arm: order.index(arm.name))
    if not measured:
        return Advised("cannot_tell", None, "Nothing could be measured.", (), ())
    best = min(measured, key=lambda arm: arm.behind)
    reasons = [_told(arm, best, task) for arm in measured]
    changes = _changes(measured, task)
    meeting = [arm for arm in measured if arm.meets]
    if best.n < FEWEST_ROWS:
        words = f"{best.n} validation rows are too few to tell set-ups apart; {_lean(best)}"
        return Advised("cannot_tell", best.name, words, tuple(reasons), changes)
    if meeting:
        return Advised(
            ANSWERS[meeting[0].name], meeting[0].name, _met(meeting[0], measured, task), tuple(reasons), changes
        )
    chosen = next(arm for arm in measured if arm.as_good(task.margin))
    doubt = _doubt(chosen, best, measured, task)
    if doubt:
        return Advised("cannot_tell", chosen.name, doubt, tuple(reasons), changes)
    return Advised(ANSWERS[chosen.name], chosen.name, _compared(chosen, best, measured, task), tuple(reasons), changes)


def _doubt(chosen: ArmFacts, best: ArmFacts, measured: Sequence[ArmFacts], task: TaskFacts) -> str:
    """Why nothing can be said, or nothing."""
    simplest, tuned = measured[0], any(arm.trained for arm in measured)
    if not tuned:
        return _before_training(best, measured, task)
    if not chosen.trained and (best.value == 0 or all(arm.misses for arm in measured)):
        more = (
            "" if task.knowledge is not False else " If the answers stand in documents, name these in advise.knowledge."
        )
        return f"No set-up comes near what the goal asks for, tuned or not: more or other examples are needed.{more}"
    open_ones = [arm for arm in measured if not arm.worse and arm.behind > task.margin]
    doubtful = [arm for arm in open_ones if arm is simplest or (chosen.trained and not arm.trained)]
    if not doubtful:
        return ""
    names = listed([ARMS[arm.name] for arm in doubtful])
    return (
        f"{best.n} rows cannot tell: {ARMS[chosen.name]} looks best, and {names} "
        f"{'is' if len(doubtful) == 1 else 'are'} not shown to be worse. {_lean(chosen)} More validation rows "
        "(advise.rows, or more examples) would tell."
    )


def _before_training(best: ArmFacts, measured: Sequence[ArmFacts], task: TaskFacts) -> str:
    """What is said while there is no tuned model, and no untrained set-up meets the goal."""
    figure = f"{ARMS[best.name]} is best of what needs no training, {metric_name(task.metric)} {_interval(best)}"
    few = ""
    if task.training_rows < FEW_TO_TRAIN:
        few = f" With {task.training_rows} training rows, tuning rarely pays: collect more first."
    if best.meets is None:
        return (
            f"There is no tuned model to compare with, and no goal.success to say what is enough: {figure}.{few} "
            "If that is enough, do not train; else `tunesmith train`, and ask again."
        )
    if best.misses:
        return f"Nothing that needs no training meets the goal: {figure}.{few} `tunesmith train`, and ask again."
    return (
        f"It is not shown that anything without training meets the goal: {figure}.{few} "
        "`tunesmith train`, and ask again; or measure on more rows (advise.rows)."
    )


def _lean(arm: ArmFacts) -> str:
    return f"Until then: {ARMS[arm.name]}, the best guess."


def _met(chosen: ArmFacts, measured: Sequence[ArmFacts], task: TaskFacts) -> str:
    figure = f"{ARMS[chosen.name]} meets the goal: {metric_name(task.metric)} {_interval(chosen)}"
    if chosen.trained:
        return f"Fine-tune: {figure}. No set-up without training is shown to meet it."
    better = [arm for arm in measured if arm.trained and chosen.worse and arm.value > chosen.value]
    more = f" {ARMS[better[0].name]} is better still; the goal does not ask for it." if better else ""
    return f"Do not fine-tune: {figure}.{more}"


def _compared(chosen: ArmFacts, best: ArmFacts, measured: Sequence[ArmFacts], task: TaskFacts) -> str:
    figure = f"{metric_name(task.metric)} {_interval(chosen)}"
    short = " The goal itself is not shown to be met." if chosen.meets is False else ""
    if not chosen.trained:
        rest = (
            f"is as good as anything measured ({figure})"
            if chosen is not best
            else f"is best of all that was measured ({figure})"
        )
        return f"Do not fine-tune: {ARMS[chosen.name]} {rest}.{short}"
    untrained = max((arm for arm in measured if not arm.trained), key=lambda arm: arm.value, default=None)
    against = f", against {percent(untrained.value)} of {ARMS[untrained.name]}" if untrained else ""
    both = " with your documents" if chosen.name == "tuned_retrieval" else ""
    return f"Fine-tune{both}: {ARMS[chosen.name]} is best ({figure}{against}).{short}"


def _told(arm: ArmFacts, best: ArmFacts, task: TaskFacts) -> str:
    """One arm in a sentence."""
    figure = f"{ARMS[arm.name]}: {percent(arm.value)}"
    meets = {True: ", which meets the goal", False: "", None: ""}[arm.meets]
    if arm is best:
        return f"{figure}, the best{meets}."
    if arm.worse:
        return f"{figure}, shown to be worse than the best by {points(arm.behind)} points{meets}."
    if arm.as_good(task.margin):
        return f"{figure}, as good as the best: {points(arm.behind)} points behind, and not shown to be worse{meets}."
    return f"{figure}, {points(arm.behind)} points behind the best, which these rows do not show to be real{meets}."


def _changes(measured: Sequence[ArmFacts], task: TaskFacts) -> tuple[str, ...]:
    """When the advice would be another."""
    found = []
    if task.knowledge:
        found.append(
            "Facts that change: retrieval answers from the documents as they are today; a tuned model keeps what it "
            "was trained on until it is trained again."
        )
    elif task.knowledge is False:
        found.append("If answers depend on facts that change or stand in documents: name these in advise.knowledge.")
    form = "your answers have a fixed form" if task.strict else "if a fixed form or tone matters"
    found.append(f"A task that stays as it is, and a strict form or tone, speak for tuning ({form}).")
    if task.training_rows < FEW_TO_TRAIN:
        found.append(
            f"{task.training_rows} training rows are few, which speaks for a prompt with examples; with some hundreds, "
            "ask again."
        )
    else:
        found.append("Where examples are few, a prompt with similar examples is the better start.")
    if not any(arm.trained for arm in measured):
        found.append("Once a model is tuned, `tunesmith advise` measures it beside these.")
    return tuple(found)


def _interval(arm: ArmFacts) -> str:
    return f"{percent(arm.value)} (95% interval {percent(arm.low)} to {percent(arm.high)}, n = {arm.n})"
