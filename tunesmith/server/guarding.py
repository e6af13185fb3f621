"""The rules of a project, made ready with what they need of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tunesmith.answering.setups import question_of
from tunesmith.deployment.guard import Guard
from tunesmith.deployment.rules.build import FITS, Surroundings, build
from tunesmith.example import Example
from tunesmith.pipeline import encoder
from tunesmith.products import CleanSet
from tunesmith.project import Project
from tunesmith.project_file import where

#: Training inputs that a threshold is fitted to, evenly spread over all.
MOST_INPUTS = 500


def open_guard(project: Project, tell: Callable[[str], None] = lambda words: None) -> Guard:
    """The project's rules (`serve.rules`), ready. Raises InputError or Faults as `build` does."""
    rules = project.settings.serve.rules
    found = encoder.here(project) if any(rule.topics for rule in rules) else None
    surroundings = Surroundings(
        project.root,
        encoder=found,
        inputs=lambda: _training_inputs(project),
        inputs_id=_training_id(project),
        kept=project.store.root / FITS,
        tell=tell,
        where=lambda keys: where(project.file, keys),
    )
    return build(rules, surroundings)


def _training_id(project: Project) -> str:
    split = project.store.latest("split")
    return split.id if split else ""


def _training_inputs(project: Project) -> Sequence[str]:
    """Questions of the training part; none where nothing was split yet."""
    if project.store.latest("split") is None:
        return []
    ids = project.product("split").ids("train")
    chosen = set(ids[:: max(1, -(-len(ids) // MOST_INPUTS))])
    clean: CleanSet = project.product("clean")
    return [text for row in clean.examples(chosen) if (text := _question(row)).strip()]


def _question(row: Example) -> str:
    return question_of(row.prompt)
