"""What the base itself answers to a fixed set of general prompts, as rows to measure a model on.

The answers are greedy, made once for a base and kept in the cache, named by the hash of all that they
follow from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from tunesmith.artifact import hash_of, read_json, write_json
from tunesmith.errors import InputError
from tunesmith.example import Message, Source, make_example
from tunesmith.learners.protocol import Prediction
from tunesmith.plugins import Learner
from tunesmith.products import BaseModel, EncodedRow, GoalSheet
from tunesmith.stages.context import Context

PROMPTS = "general_prompts.json"
#: A plain system prompt that no task has: the goal's own would ask for the task.
GENERAL = GoalSheet("text", "text", "You are a helpful assistant.")
#: Tokens of an answer; a longer one is cut.
LONGEST = 48


def prompts() -> list[dict[str, str]]:
    """The general prompts, each with its kind."""
    found: list[dict[str, str]] = json.loads((Path(__file__).parent / PROMPTS).read_text(encoding="utf-8"))
    return found


def general_rows(learner: Learner, base: BaseModel, context: Context) -> list[EncodedRow]:
    """The general prompts with the base's own answers, encoded; the loss looks at the answers alone.

    Raises InputError where the base cannot be asked.
    """
    asked = prompts()
    encoder = learner.encode.encoder(base, GENERAL, base.context)
    tokens = [encoder.prompt_tokens((Message.of("user", one["prompt"]),)) for one in asked]
    path = context.cache / "general_answers" / f"{hash_of([base.sha256, tokens, LONGEST])}.json"
    answers = _cached(path, len(asked)) or _ask(learner, base, asked, path, context)
    rows = []
    for number, (one, answer) in enumerate(zip(asked, answers, strict=True), 1):
        messages = [Message.of("user", one["prompt"]), Message.of("assistant", answer["text"])]
        row = encoder.encode(make_example(messages, Source(PROMPTS, number)))
        if isinstance(row, EncodedRow):  # an empty answer has nothing to measure
            rows.append(row if answer["finished"] else _without_end(row))
    return rows


def _without_end(row: EncodedRow) -> EncodedRow:
    """A row whose answer was cut: that it should end there is nothing that the base said."""
    return replace(row, tokens=row.tokens[:-1], trained=row.trained[:-1])


def _cached(path: Path, count: int) -> list[dict[str, Any]] | None:
    """The answers in the cache, or None where they are missing or not whole."""
    try:
        found = read_json(path)
    except InputError:
        return None
    forms = {"text": str, "finished": bool}
    whole = isinstance(found, list) and len(found) == count and all(_has(one, forms) for one in found)
    return found if whole else None


def _has(one: Any, forms: Mapping[str, type]) -> bool:
    return isinstance(one, dict) and all(isinstance(one.get(name), form) for name, form in forms.items())


def _ask(
    learner: Learner, base: BaseModel, asked: Sequence[Mapping[str, str]], path: Path, context: Context
) -> list[dict[str, Any]]:
    """Ask the base, and keep its answers where the cache can be written."""
    context.note(
        f"asking {base.name} {len(asked)} general prompts, once for this base, to tell later whether training "
        "cost it general ability"
    )

    def tell(done: int, total: int) -> None:
        context.progress(done, total, "general answers")

    given: list[Prediction] = learner.predict.predict(
        "base",
        base,
        GENERAL,
        None,
        [(Message.of("user", one["prompt"]),) for one in asked],
        max_new_tokens=LONGEST,
        on_progress=tell,
    )
    learner.predict.release()
    answers = [{"text": one.text, "finished": one.finished} for one in given]
    with suppress(OSError):  # a cache that cannot be written costs time, not the run
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, answers)
    return answers
