"""Where people stand: requests that the model should not answer alone are handed to them."""

from __future__ import annotations

from typing import Protocol

from tunesmith.deployment.exchange import Exchange


class HandOffs(Protocol):
    """Takes requests that are for a person."""

    async def take(self, exchange: Exchange, reason: str) -> str | None:
        """Keep the request for a person, durably. ``reason``: ``low_confidence``, or the name of a rule.

        Returns the ticket under which the client can ask for a person's answer, None where nobody works a queue.
        """
        ...


class NobodyThere:
    """The client alone is told, by the mark on its answer."""

    async def take(self, exchange: Exchange, reason: str) -> str | None:
        return None
