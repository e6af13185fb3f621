"""Calls of tools in one answer: read out of what the model writes, and held against the rules as an answer is."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace

from tunesmith.deployment.exchange import Exchange
from tunesmith.deployment.guard import Guard, Stopped, Task
from tunesmith.server.conversation import text_of_call, with_text
from tunesmith.server.engines import CallReader
from tunesmith.tool_calls import Called, ToolCall


async def held_to_rules(
    guard: Guard, exchange: Exchange, task: Task, calls: Sequence[ToolCall]
) -> tuple[list[ToolCall], str, Stopped | None]:
    """Let the rules look at each call as at an answer.

    Returns the calls as they leave them, the texts of those that are none any more, and what stops all: then there is
    nothing else.
    """
    # a call is not held against what answers must be like: a schema, the goal's own rules
    task = replace(task, goal=None, schema=None)
    left, texts = [], []
    for call in calls:
        window = guard.around(exchange, task)
        text = window.add(text_of_call(call)) + await window.end()
        if window.stopped is not None:
            return [], "", window.stopped
        found = with_text(call, text)
        if found is None:
            texts.append(text)
        else:
            left.append(found)
    return left, "\n".join(texts), None


class Calling:
    """Give it what the model writes; it gives back what is no call. ``calls`` are those that may leave.

    Where rules look at answers, calls are held until the answer is over: what a rule refuses is refused whole.
    """

    def __init__(self, reader: CallReader, guard: Guard, exchange: Exchange, task: Task, *, parallel: bool) -> None:
        self._reader = reader
        self._guard = guard
        self._exchange = exchange
        self._task = task
        self._parallel = parallel
        self._read: list[Called] = []
        self.calls: list[ToolCall] = []

    @property
    def is_over(self) -> bool:
        """Whether no further call may come."""
        return not self._parallel and bool(self._read or self.calls)

    @property
    def found(self) -> bool:
        """Whether there is any call."""
        return bool(self._read or self.calls)

    def add(self, text: str) -> str:
        """Take what was written, and return what of it is text."""
        return self._take(self._reader.add(text))

    def end(self) -> str:
        """Nothing more comes: what of it is text after all."""
        return self._take(self._reader.end())

    def _take(self, found: list[str | Called]) -> str:
        calls = [one for one in found if isinstance(one, Called)]
        self._read += calls if self._parallel else calls[: 0 if self.found else 1]
        return "".join(one for one in found if isinstance(one, str))

    def free(self) -> list[ToolCall]:
        """The calls that may leave already: where no rule looks at answers."""
        if self._guard.looks_after:
            return []
        calls = self._out()
        self.calls += calls
        return calls

    async def checked(self) -> tuple[list[ToolCall], str, Stopped | None]:
        """The rest of the calls as the rules leave them, texts of those that are none any more, and what stops all."""
        calls, text, stopped = await held_to_rules(self._guard, self._exchange, self._task, self._out())
        self.calls = [] if stopped is not None else [*self.calls, *calls]
        return calls, text, stopped

    def _out(self) -> list[ToolCall]:
        calls = [ToolCall(f"call_{secrets.token_hex(12)}", one.name, one.arguments) for one in self._read]
        self._read = []
        return calls
