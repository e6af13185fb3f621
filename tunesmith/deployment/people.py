"""Where people stand: requests that the model should not answer alone are handed to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from tunesmith.deployment.exchange import Exchange
from tunesmith.deployment.tickets import Ticket
from tunesmith.example import Message

#: Replaces the private data in messages.
Mask = Callable[[Sequence[Message]], tuple[Message, ...]]


class HandOffs(Protocol):
    """Takes requests that are for a person. ``reply``: what clients get in place of the model's answer, if anything.
    ``works``: whether anybody works a queue."""

    @property
    def works(self) -> bool: ...

    @property
    def reply(self) -> str | None: ...

    async def take(self, exchange: Exchange, reason: str) -> str | None:
        """Keep the request for a person, durably. ``reason``: ``low_confidence``, or the name of a rule.

        Returns the ticket under which the client can ask for a person's answer, None where nobody works a queue.
        """
        ...

    async def tell(self, ticket: str, key: str) -> Ticket | None:
        """What became of a request, for the key that asked it; None where there is no such ticket of this key."""
        ...


class NobodyThere:
    """The client alone is told, by the mark on its answer."""

    works: bool = False
    reply: str | None = None

    async def take(self, exchange: Exchange, reason: str) -> str | None:
        return None

    async def tell(self, ticket: str, key: str) -> Ticket | None:
        return None


def as_it_came(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Where private data is kept."""
    return tuple(messages)
