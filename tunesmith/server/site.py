"""What surrounds the models of one project in a server: its state, its rules, its people, its records."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from tunesmith.deployment.exchange import Exchange, Recorder
from tunesmith.deployment.feedback import FeedbackBook
from tunesmith.deployment.guard import Guard, NoGuard
from tunesmith.deployment.people import HandOffs, NobodyThere
from tunesmith.deployment.state import State


@dataclass(frozen=True)
class Site:
    """``name``: the project's. ``state`` is None in a server that keeps nothing (in tests), ``feedback`` where nothing
    can be said of answers. ``chores`` are done while the server runs, and cancelled at its end."""

    name: str
    state: State | None = None
    guard: Guard = field(default_factory=NoGuard)
    people: HandOffs = field(default_factory=NobodyThere)
    recorders: Sequence[Recorder] = ()
    chores: Sequence[Callable[[], Awaitable[None]]] = ()
    feedback: FeedbackBook | None = None

    async def record(self, exchange: Exchange) -> None:
        """Let every recorder keep what came of a request. Raises what one of them raised, when all are done."""
        # side by side, so that what they write to the state is committed at once
        done = await asyncio.gather(*(one.record(exchange) for one in self.recorders), return_exceptions=True)
        for failure in done:
            if failure is not None:
                raise failure

    def close(self) -> None:
        if self.state is not None:
            self.state.close()
