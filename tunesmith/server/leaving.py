"""What leaves of an answer while it is written: through the window of the project's rules."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

from tunesmith.deployment.exchange import Exchange
from tunesmith.deployment.guard import Stopped, Window

More = TypeVar("More")


class Leaving:
    """``text`` is all that has left. Where a rule stops the answer, its own text is the last piece, as a paragraph of
    its own behind what has left already."""

    def __init__(self, window: Window, exchange: Exchange) -> None:
        self._window = window
        self._exchange = exchange
        self.text = ""
        self.stopped: Stopped | None = None

    async def pieces(
        self, written: AsyncGenerator[tuple[str, More]], nothing: More
    ) -> AsyncGenerator[tuple[str, More]]:
        """What may leave of each piece of text, with what belongs to it; ``nothing`` belongs to what was held back.

        The writing is ended where a rule ends the answer.
        """
        async with aclosing(written):
            async for text, more in written:
                yield self._out(self._window.add(text)), more
                if self._window.stopped:
                    break
        if self._window.stopped is None:
            yield self._out(await self._window.end()), nothing
        if self._window.stopped is not None:
            yield self.stop(self._window.stopped), nothing

    def stop(self, stopped: Stopped) -> str:
        """End the answer with a rule's own text, which is returned."""
        self.stopped = stopped
        self._exchange.actions.append(stopped.action)
        return self._out(f"\n\n{stopped.text}" if self.text else stopped.text)

    def _out(self, text: str) -> str:
        self.text += text
        return text
