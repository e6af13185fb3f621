"""Calls of tools in one answer: read out of what the model writes, and held against the rules as an answer is."""

from __future__ import annotations

import secrets
from dataclasses import replace

from tunesmith.deployment.exchange import Exchange
from tunesmith.deployment.guard import Guard, Stopped, Task
from tunesmith.server.conversation import text_of_call, with_text
from tunesmith.server.engines import CallReader
from tunesmith.tool_calls import Called, ToolCall


class Calling:
    """Give it what the model writes; it gives back what is no call. ``calls`` are those that may leave.

    Where rules look at answers, calls are held until the answer is over: what a rule refuses is refused whole.
    """

    def __init__(self, reader: CallReader, guard: Guard, exchange: Exchange, task: Task, *, parallel: bool) -> None:
        self._reader = reader
        self._guard = guard
        self._exchange = exchange
        # a call is not held against what answers must be like: a schema, the goal's own rules
        self._task = replace(task, goal=None, schema=None)
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
        return [] if self._guard.looks_after else self._out()

    async def checked(self) -> tuple[list[ToolCall], str, Stopped | None]:
        """The rest of the calls as the rules leave them, texts of those that are none any more, and what stops all."""
        calls, texts = [], []
        for call in self._out():
            window = self._guard.around(self._exchange, self._task)
            text = window.add(text_of_call(call)) + await window.end()
            if window.stopped is not None:
                self.calls = []
                return [], "", window.stopped
            left = with_text(call, text)
            if left is None:
                texts.append(text)
                self.calls.remove(call)
            else:
                self.calls[self.calls.index(call)] = left
                calls.append(left)
        return calls, "\n".join(texts), None

    def _out(self) -> list[ToolCall]:
        calls = [ToolCall(f"call_{secrets.token_hex(12)}", one.name, one.arguments) for one in self._read]
        self._read = []
        self.calls += calls
        return calls
