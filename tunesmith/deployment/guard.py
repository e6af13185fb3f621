"""Where rules stand: before the model, and around its answer while it is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tunesmith.deployment.exchange import Action, Exchange
from tunesmith.example import Message


class Stopped(Exception):
    """A rule ends an exchange: the client gets ``text`` as the answer, with the finish reason ``content_filter``."""

    def __init__(self, text: str, action: Action) -> None:
        super().__init__(action.rule)
        self.text = text
        self.action = action


class Window(Protocol):
    """What leaves of one answer while it is written. Text that a rule may yet stop or change is held back."""

    def add(self, text: str) -> str:
        """Take what was written and return what may leave. Raises `Stopped`."""
        ...

    def end(self) -> str:
        """The answer is whole: return what was held back. Raises `Stopped`."""
        ...


class Guard(Protocol):
    """The rules of one project. What they do is noted in ``exchange.actions``."""

    async def before(self, messages: Sequence[Message], exchange: Exchange) -> tuple[Message, ...]:
        """The messages as the model may see them. Raises `Stopped`."""
        ...

    def around(self, exchange: Exchange) -> Window:
        """A window for one answer."""
        ...


class OpenWindow:
    """Everything leaves at once."""

    def add(self, text: str) -> str:
        return text

    def end(self) -> str:
        return ""


class NoGuard:
    """A project without rules."""

    async def before(self, messages: Sequence[Message], exchange: Exchange) -> tuple[Message, ...]:
        return tuple(messages)

    def around(self, exchange: Exchange) -> Window:
        return OpenWindow()
