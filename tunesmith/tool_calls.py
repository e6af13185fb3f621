"""Conversations in which tools are called: what a model is told of them, the calls that it makes, what came of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tunesmith.example import Message, Role


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function that is to be called. ``arguments`` is the JSON text of an object."""

    id: str
    name: str
    arguments: str

    @property
    def told(self) -> dict[str, Any]:
        """As OpenAI's messages have it."""
        return {"id": self.id, "type": "function", "function": {"name": self.name, "arguments": self.arguments}}


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation. ``calls`` are an assistant's; ``call_id`` and ``name`` say of a tool's message
    which call it is what came of, and of which function."""

    role: Role
    text: str
    calls: tuple[ToolCall, ...] = ()
    call_id: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class Tools:
    """The functions that a model may call, with whether it must.

    ``definitions``: as in a request, ``{"type": "function", "function": {"name", "description", "parameters"}}``.
    ``only``: the one function that must be called; ``required``: one at least must. ``parallel``: several may be called
    at once.
    """

    definitions: tuple[Mapping[str, Any], ...]
    required: bool = False
    only: str | None = None
    parallel: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(one["function"]["name"] for one in self.definitions)

    @property
    def free(self) -> bool:
        """Whether the model may answer without a call."""
        return not self.required and self.only is None


@dataclass(frozen=True, slots=True)
class Called:
    """A call as a model wrote it; ``arguments`` is the JSON text of an object."""

    name: str
    arguments: str


def has_tools(messages: Sequence[Message]) -> bool:
    """Whether tools were called in a conversation that was kept as texts: nothing is learned from it yet."""
    return any(message.role == "tool" for message in messages)
