"""What a family of the suite is: a way to spoil a row, or questions that no row has, and what must come of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

from tunesmith.example import Example, Message

#: What the change does to the answer that is due. ``same``: nothing. ``changed``: it is another row's.
#: ``either``: that of one of two rows. ``unknown``: there is none, a person should be asked. ``form``: only that the
#: answer keeps its form and its secrets can be said.
Nature = Literal["same", "changed", "either", "unknown", "form"]


@dataclass(frozen=True)
class Row:
    """A test row to be spoiled. ``index``: its place among the test rows; ``text``: what its user said last."""

    index: int
    example: Example
    text: str

    @property
    def id(self) -> str:
        return self.example.id

    @property
    def answer(self) -> str:
        return self.example.answer or ""


@dataclass(frozen=True)
class Change:
    """The user's words after the change, and ``recipe``, which says what was done in plain JSON.

    ``of``: the rows whose answer is due, any of them; None stands for the row's own. ``forbidden``: what must not
    stand in the answer. ``label``: the label that a hidden instruction asks for, one of ``choices`` that could
    have been asked for.
    """

    text: str
    recipe: Mapping[str, Any] = field(default_factory=dict)
    of: tuple[Row, ...] | None = None
    forbidden: tuple[str, ...] = ()
    label: str | None = None
    choices: int = 0


@dataclass(frozen=True)
class Material:
    """What families may draw on besides the row. ``tokens`` counts those of the row's prompt with other words in place
    of the user's last ones; None where the base cannot see so many. ``languages``: those that the rows are in.
    ``most``: tokens that the very long prompts may have, where that is less than what the base can see."""

    rows: Sequence[Row]
    labels: tuple[str, ...] = ()
    languages: frozenset[str] = frozenset()
    tokens: Callable[[Row, str], int | None] = lambda row, text: 0
    most: int | None = None


Make = Callable[[Row, Material, Random], Change | None]


@dataclass(frozen=True)
class Family:
    """``title`` follows "broken on"; ``about`` says in a few words what is done.

    ``make`` spoils one row, or gives None where there is nothing in it to spoil. ``strangers`` gives questions that
    are no row's, in an order that the seed decides.
    """

    name: str
    title: str
    nature: Nature
    about: str
    make: Make | None = None
    strangers: Callable[[Material, Random], list[Change]] | None = None


@dataclass(frozen=True)
class Case:
    """One prompt of the suite. ``row``: the row that was spoiled, or, of a stranger, one whose conversation it enters.

    ``due``: the rows of which any answer is right; empty where none is.
    """

    family: Family
    row: Row
    change: Change
    prompt: tuple[Message, ...]
    due: tuple[Row, ...]

    @property
    def is_stranger(self) -> bool:
        return self.family.make is None

    @property
    def recipe(self) -> str:
        """What was done, as JSON."""
        return json.dumps(self.change.recipe, ensure_ascii=True, sort_keys=True)


def said(prompt: Sequence[Message], text: str) -> tuple[Message, ...]:
    """The prompt with other words in place of the user's last ones."""
    last = last_of_user(prompt)
    return tuple(Message.of("user", text) if place == last else message for place, message in enumerate(prompt))


def last_of_user(prompt: Sequence[Message]) -> int | None:
    """The place of the user's last message, where there is one that is text alone."""
    places = [place for place, message in enumerate(prompt) if message.role == "user"]
    if not places or any(part.kind != "text" for part in prompt[places[-1]].parts):
        return None
    return places[-1]
