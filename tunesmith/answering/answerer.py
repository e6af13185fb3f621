"""Answerer: one way to answer, whatever is behind it: the base, the tuned model, one of an earlier round, a server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tunesmith.artifact import MANIFEST, hash_of, read_json
from tunesmith.example import Message
from tunesmith.learners.protocol import Prediction, Progress
from tunesmith.products import BaseModel, GoalSheet, TunedModel
from tunesmith.version import __version__

Prompt = tuple[Message, ...]
Ask = Callable[[Sequence[Prompt], Progress], list[Prediction]]


@dataclass(frozen=True)
class Answerer:
    """``name`` is what the report calls it. ``identity``: two of the same identity give a prompt the same answer.

    ``ask`` answers prompts in their order, and tells how many are done.
    """

    name: str
    identity: str
    ask: Ask


@dataclass(frozen=True)
class TrainedModel:
    """A model with the goal and the base that it was trained with, such as that of an earlier round."""

    goal: GoalSheet
    base: BaseModel
    tuned: TunedModel


def of_model(
    learner: Any,
    candidate: str,
    base: BaseModel,
    goal: GoalSheet,
    tuned: TunedModel | None,
    *,
    max_new_tokens: int,
    enforce_schema: bool = False,
    name: str | None = None,
) -> Answerer:
    """The base or the tuned model (``candidate``), asked with the goal's system prompt.

    ``learner`` is the plugin that serves the model. A shorter ``max_new_tokens`` is another identity: it cuts answers.
    """

    def ask(prompts: Sequence[Prompt], on_progress: Progress) -> list[Prediction]:
        return list(
            learner.predict.predict(
                candidate,
                base,
                goal,
                tuned,
                prompts,
                max_new_tokens=max_new_tokens,
                enforce_schema=enforce_schema,
                on_progress=on_progress,
            )
        )

    return Answerer(
        name or candidate, _identity(learner, candidate, base, goal, tuned, max_new_tokens, enforce_schema), ask
    )


def _identity(
    learner: Any,
    candidate: str,
    base: BaseModel,
    goal: GoalSheet,
    tuned: TunedModel | None,
    max_new_tokens: int,
    enforce_schema: bool,
) -> str:
    weights = _weights(tuned) if tuned is not None and candidate != "base" else ""
    asked: dict[str, Any] = {"system": goal.system, "output": goal.output, "labels": goal.labels}
    if enforce_schema:
        asked["schema"] = goal.schema
    return hash_of(
        {
            "code": [__version__, getattr(learner, "name", ""), getattr(learner.predict, "VERSION", 0)],
            "base": base.sha256,
            "weights": weights,
            "goal": asked,
            "max_new_tokens": max_new_tokens,
            "enforce_schema": enforce_schema,
        }
    )


def _weights(tuned: TunedModel) -> Any:
    """The hashes of the model's files; of a model outside an artifact its folder, which nothing else can be."""
    manifest = tuned.folder.parent / MANIFEST
    if not manifest.exists():
        return str(tuned.folder.resolve())
    files = read_json(manifest)["files"]
    return {name: entry["sha256"] for name, entry in files.items() if name.startswith(f"{tuned.folder.name}/")}


def key_of(prompt: Prompt) -> str:
    """What a prompt is known by in the cache."""
    return hash_of([asdict(message) for message in prompt])
