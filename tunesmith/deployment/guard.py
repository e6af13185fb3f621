"""Where rules stand: before the model, and around its answer while it is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tunesmith.deployment.exchange import Action, Exchange
from tunesmith.example import Message
from tunesmith.products import GoalSheet


class Stopped(Exception):
    """A rule ends an exchange: the client gets ``text`` as the answer, with the finish reason ``content_filter``."""

    def __init__(self, text: str, action: Action) -> None:
        super().__init__(action.rule)
        self.text = text
        self.action = action


@dataclass(frozen=True)
class Task:
    """What an answer is held against.

    ``schema``: what it must fit, of the request or of the goal; None where it is free. ``system``, ``examples`` and
    ``documents``: texts that the model was given beside what the client wrote.
    """

    goal: GoalSheet | None = None
    schema: Mapping[str, Any] | None = None
    system: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()


class Window(Protocol):
    """What leaves of one answer while it is written. Text that a rule may yet stop or change is held back.

    What leaves, and where it is stopped, does not depend on how the answer is cut into pieces.
    """

    @property
    def stopped(self) -> Stopped | None:
        """What ended the answer, behind all that was let out; then the window takes no more."""
        ...

    def add(self, text: str) -> str:
        """Take what was written and return what may leave."""
        ...

    async def end(self) -> str:
        """The answer is whole: return what was held back and may leave."""
        ...


class Guard(Protocol):
    """The rules of one project. What they do is noted in ``exchange.actions``."""

    @property
    def looks_after(self) -> bool:
        """Whether any rule looks at answers: then nothing of an answer may leave but through its window."""
        ...

    async def before(self, messages: Sequence[Message], exchange: Exchange) -> tuple[Message, ...]:
        """The messages as the model may see them. Raises `Stopped`."""
        ...

    def around(self, exchange: Exchange, task: Task) -> Window:
        """A window for one answer."""
        ...


class OpenWindow:
    """Everything leaves at once."""

    stopped = None

    def add(self, text: str) -> str:
        return text

    async def end(self) -> str:
        return ""


class NoGuard:
    """A project without rules."""

    looks_after = False

    async def before(self, messages: Sequence[Message], exchange: Exchange) -> tuple[Message, ...]:
        return tuple(messages)

    def around(self, exchange: Exchange, task: Task) -> Window:
        return OpenWindow()
