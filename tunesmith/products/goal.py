"""What the model should do, and how good is good enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tunesmith.artifact import Artifact


@dataclass(frozen=True)
class Criterion:
    """One line of the goal: this metric, at least this much."""

    metric: str
    at_least: float


@dataclass(frozen=True)
class Rule:
    """What every answer must keep to; what is not given asks for nothing.

    ``field`` names one field of a JSON answer; without it the rule is about the whole answer. ``code`` is the text of
    the file that ``python`` names a function of.
    """

    field: str | None = None
    contains: tuple[str, ...] = ()
    never_contains: tuple[str, ...] = ()
    starts_with: tuple[str, ...] = ()
    ends_with: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()
    matches: str | None = None
    never_matches: str | None = None
    at_least_words: int | None = None
    at_most_words: int | None = None
    language: str | None = None
    at_most_grade: float | None = None
    schema: dict[str, Any] | None = None
    python: str | None = None
    code: str | None = None


@dataclass(frozen=True)
class GoalSheet:
    """What the model should do. ``schema`` is a JSON Schema; ``labels`` are in a fixed order."""

    input: str
    output: Literal["text", "label", "json"]
    system: str
    labels: tuple[str, ...] = ()
    schema: dict[str, Any] | None = None
    success: tuple[Criterion, ...] = ()
    unknown: Literal["answer", "hand_off"] = "answer"
    confidence: float = 0.5
    inferred: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()

    @classmethod
    def open(cls, artifact: Artifact) -> GoalSheet:
        data = artifact.read_json("goal.json")
        success = tuple(Criterion(**item) for item in data.pop("success"))
        labels, inferred = tuple(data.pop("labels")), tuple(data.pop("inferred"))
        rules = tuple(_rule(item) for item in data.pop("rules", ()))
        return cls(**data, success=success, labels=labels, inferred=inferred, rules=rules)


def _rule(item: dict[str, Any]) -> Rule:
    given: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in item.items()}
    return Rule(**given)
