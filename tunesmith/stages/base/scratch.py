"""`model: scratch`: a fresh model, and a tokenizer made of the training rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tunesmith.artifact import fsync, write_json
from tunesmith.base_folder import weights_sha256
from tunesmith.plugins import learner_for
from tunesmith.products import BaseModel, CleanSet, GoalSheet, Splits
from tunesmith.stages.base import machine
from tunesmith.stages.base.settings import SCRATCH, BaseSettings
from tunesmith.stages.base.sizes import parameters_for, vocabulary_for
from tunesmith.stages.context import Context

#: Where the model lies in the artifact.
FOLDER = "model"


def make(inputs: Mapping[str, Any], settings: BaseSettings, context: Context) -> dict[str, Any]:
    """Write the model into the stage's folder, and base.json. Only the training part's text is read."""
    goal: GoalSheet = inputs["goal"]
    clean: CleanSet = inputs["clean"]
    split: Splits = inputs["split"]
    ids = frozenset(split.ids("train"))
    characters = sum(len(text) for text in texts(clean, ids, goal))
    given = None if settings.parameters == "auto" else settings.parameters
    parameters = given or parameters_for(characters, machine.look())
    vocabulary = vocabulary_for(characters, given) if settings.vocabulary == "auto" else settings.vocabulary
    folder = context.folder / FOLDER
    folder.mkdir()
    fresh = learner_for("causal_lm", goal.input, goal.output).fresh.make(
        folder,
        _watched(texts(clean, ids, goal), context),
        parameters=parameters,
        vocabulary=vocabulary,
        context=settings.context,
        seed=context.seed,
    )
    for path in folder.iterdir():
        fsync(path)
    shape = fresh.shape
    reason = (
        f"A fresh model of {shape.parameters:,} parameters ({shape.layers} layers of {shape.hidden}), and a tokenizer "
        f"of {shape.vocabulary:,} tokens made of {characters:,} characters in {len(ids):,} training rows"
        f"{_chosen(settings)}."
    )
    context.note(reason)
    base = BaseModel(
        name=SCRATCH,
        kind="causal_lm",
        folder=Path(FOLDER),
        parameters=shape.parameters,
        context=settings.context,
        licence="yours",
        languages=(),
        source=f"{SCRATCH}@{fresh.tokenizer_sha256}",
        sha256=weights_sha256(folder),
        reason=reason,
        from_scratch=True,
    )
    write_json(context.folder / "base.json", asdict(base))
    return {"parameters": shape.parameters, "vocabulary": shape.vocabulary}


def _chosen(settings: BaseSettings) -> str:
    auto = [name for name in ("parameters", "vocabulary") if getattr(settings, name) == "auto"]
    return f"; auto chose the {' and the '.join(auto)}" if auto else ""


def texts(clean: CleanSet, ids: frozenset[str], goal: GoalSheet) -> Iterator[str]:
    """Every message of the rows, and each system prompt once, since it is the same in many rows."""
    seen: set[str] = set()
    for example in clean.examples(ids):
        system = example.system or goal.system
        if not example.is_document and system not in seen:
            seen.add(system)
            yield system
        for message in example.turns:
            yield message.text


def _watched(found: Iterator[str], context: Context) -> Iterator[str]:
    """The same texts, stopped where the user asks to stop."""
    for number, text in enumerate(found):
        if number % 1024 == 0:
            context.check()
        yield text
