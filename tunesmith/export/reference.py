"""Test rows, and what the trained model answers to them: what every exported form is held to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from tunesmith import plugins
from tunesmith.errors import InputError
from tunesmith.example import Example
from tunesmith.export.replay import chosen_rows
from tunesmith.export.settings import ExportSettings
from tunesmith.learners.protocol import Replayed
from tunesmith.stages.test.answers import answer_limit
from tunesmith.stages.test.run import asked_rows, locked_rows

#: Room behind the longest prompt and its answer.
SPARE_CONTEXT = 64

#: Is told what is being done, and how much of it.
Tell = Callable[[str, int, int], None]


def silent(what: str, done: int, total: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Reference:
    """Test rows and what the trained model answers to them. ``limit``: tokens of the longest answer."""

    rows: tuple[Example, ...]
    of_rows: int
    limit: int
    context: int
    answers: tuple[Replayed, ...]


def reference(
    inputs: Mapping[str, Any], settings: ExportSettings, *, find_learner: Any = plugins.learner, tell: Tell = silent
) -> Reference:
    """Ask the trained model for the answers that every form is held to.

    Raises InputError ``texts_not_replayed`` for a model of texts without questions.
    """
    goal, base, tuned, split = inputs["goal"], inputs["base"], inputs["train"], inputs["split"]
    rows, texts = asked_rows(locked_rows(inputs["clean"], split), inputs["format"])
    if texts:
        raise InputError(
            "texts_not_replayed",
            "this model was trained on texts without questions, so no chat can show that an export answers as it does",
            "format",
            "load the folder that `tunesmith show train` names with transformers",
        )
    limit = answer_limit(inputs["format"], split, base, None)
    chosen = chosen_rows(rows, settings.rows)
    tell("asking the trained model", 0, len(chosen))  # the first answers take a while
    answers = find_learner(tuned.learner).replay.replay(
        base,
        goal,
        tuned,
        [row.prompt for row in chosen],
        max_new_tokens=limit,
        on_progress=partial(tell, "asking the trained model"),
    )
    longest = max(len(answer.prompt) for answer in answers)
    context = min(base.context, longest + limit + SPARE_CONTEXT)
    return Reference(tuple(chosen), len(rows), limit, context, tuple(answers))
