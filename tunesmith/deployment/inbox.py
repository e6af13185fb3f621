"""The queue of requests that people work: `tunesmith inbox` shows it, and clients ask what became of theirs."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass

from tunesmith.deployment import tickets
from tunesmith.deployment.exchange import Exchange
from tunesmith.deployment.people import Mask, as_it_came
from tunesmith.deployment.people_settings import HandOffSettings
from tunesmith.deployment.state import State
from tunesmith.deployment.tickets import Ticket
from tunesmith.example import Message, messages_to_json


@dataclass
class HandOffQueue:
    """Keeps requests in the state of their project. ``mask`` replaces private data in their texts."""

    state: State
    settings: HandOffSettings
    mask: Mask = as_it_came
    clock: Callable[[], float] = time.time
    works: bool = True

    @property
    def reply(self) -> str | None:
        return self.settings.reply

    async def take(self, exchange: Exchange, reason: str) -> str | None:
        """Keep the request; None where ``serve.hand_off.most`` wait already. Raises as `State.write` does."""
        ticket, most = await asyncio.to_thread(self._ticket, exchange, reason), self.settings.most
        return ticket.ticket if await self.state.write(lambda one: tickets.insert(one, ticket, most)) else None

    async def tell(self, ticket: str, key: str) -> Ticket | None:
        found = await self.state.read(lambda one: tickets.find(one, ticket))
        mine = [one for one in found if one.ticket == ticket and one.key == key and not self._is_over(one)]
        if mine and mine[0].status != "waiting" and mine[0].fetched_at is None:
            # read again within the change: a person may have taken the answer back just now
            return await self.state.write(lambda one: self._fetch(one, ticket))
        return mine[0] if mine else None

    def _fetch(self, connection: sqlite3.Connection, ticket: str) -> Ticket | None:
        tickets.fetched(connection, ticket, self.clock())
        return next(iter(tickets.find(connection, ticket)), None)

    def _ticket(self, exchange: Exchange, reason: str) -> Ticket:
        answers = [Message.of("assistant", answer) for answer in exchange.answers[-1:]]
        masked = self.mask([*exchange.prompt, *answers])
        prompt, answer = masked[: len(exchange.prompt)], masked[-1].text if answers else None
        return Ticket(
            ticket=tickets.new_name(),
            request=exchange.id,
            route=exchange.route,
            key=exchange.key,
            version=exchange.version,
            reason=reason,
            asked_at=exchange.arrived_at,
            prompt=messages_to_json(prompt),
            answer=answer,
            by_rule=answer is None or exchange.finish_reason == "content_filter",
            confidence=exchange.confidence,
        )

    def _is_over(self, ticket: Ticket) -> bool:
        """Whether it was kept long enough, though nobody has removed it yet."""
        waits = ticket.settled_at is None
        days = self.settings.waiting_days if waits else self.settings.settled_days
        return (ticket.settled_at or ticket.asked_at) < self.clock() - days * tickets.DAY
