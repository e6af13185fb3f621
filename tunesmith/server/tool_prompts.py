"""A conversation with tools made ready for a model: what rules leave of it, and its prompt as the set-up puts it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tunesmith.answering.answerer import Prompt
from tunesmith.example import Message
from tunesmith.server.call import Call
from tunesmith.server.conversation import texts_of, with_texts
from tunesmith.server.engines import ToolCodec
from tunesmith.server.refusal import Refusal
from tunesmith.server.served import Served, ServedChat, ServedText, in_tokens
from tunesmith.tool_calls import Tools, Turn


@dataclass(frozen=True)
class ToolPrompt:
    """``tokens`` of the prompt. ``messages`` up to the last question, and ``given``: the same as the set-up in use puts
    them. ``tools`` as the model is told of them."""

    tokens: list[int]
    messages: Prompt
    given: Prompt
    tools: Tools | None


def tool_codec(served: ServedText) -> ToolCodec:
    """What the model's template makes of tools. Raises Refusal ``tools_not_served`` where there is no such thing."""
    found = None if served.version.documents else served.codec.tools
    if found is None:
        what = (
            "this model cannot call tools: its chat template has no place for them, or writes calls in a form that is "
            "not read; leave tools and their messages out, or send tool_choice: none"
        )
        raise Refusal(400, "tools_not_served", what, param="tools")
    return found


async def put_with_tools(served: ServedText, call: Call, turns: tuple[Turn, ...], tools: Tools | None) -> ToolPrompt:
    """The prompt of a conversation with tools, as far as rules let it through. Raises `Stopped` and Refusal."""
    codec = tool_codec(served)
    turns, tools = await let_through(served, call, turns, tools)
    texts = [message.text for message in texts_of(turns)]

    def put() -> tuple[list[int], Placed]:
        placed = place(served, turns)
        return codec.of_turns(placed.turns, tools), placed

    tokens, placed = await in_tokens([*texts, *told(tools)], put, slow=served.prepare is not None)
    return ToolPrompt(tokens, placed.messages, placed.given, tools)


@dataclass(frozen=True)
class Placed:
    """A conversation as the set-up in use puts it: ``turns``. ``messages`` up to the last question, and ``given``: the
    same as they were put."""

    turns: Sequence[Turn]
    messages: Prompt
    given: Prompt


def place(served: ServedText | ServedChat, turns: Sequence[Turn]) -> Placed:
    """Put the last question as it is put before a tool is called: what came of calls stands behind it."""
    last = max((at for at, turn in enumerate(turns) if turn.role == "user"), default=len(turns) - 1) + 1
    messages = tuple(Message.of(turn.role, turn.text) for turn in turns[:last])
    given = served.prepare(messages) if served.prepare else messages
    return Placed([*_with_given(turns[:last], given), *turns[last:]], messages, given)


async def let_through(
    served: Served, call: Call, turns: tuple[Turn, ...], tools: Tools | None
) -> tuple[tuple[Turn, ...], Tools | None]:
    """What rules leave of a conversation. They see definitions of tools as a system message: both are the client's own
    instructions."""
    said = texts_of(turns)
    call.exchange.prompt = said
    defined = tuple(Message.of("system", text) for text in told(tools))
    seen = await served.site.guard.before((*said, *defined), call.exchange)
    turns, left = with_texts(turns, seen[: len(said)]), seen[len(said) :]
    if tools is None or left == defined:
        return turns, tools
    try:
        definitions = tuple(json.loads(message.text) for message in left)
    except ValueError:
        what = "a rule of this project masks a part of the tools that is no text: leave it out"
        raise Refusal(400, "refused_by_rule", what, param="tools") from None
    return turns, replace(tools, definitions=definitions)


def told(tools: Tools | None) -> list[str]:
    """The definitions as text."""
    return [json.dumps(one, ensure_ascii=False) for one in tools.definitions] if tools else []


def _with_given(turns: Sequence[Turn], given: Prompt) -> list[Turn]:
    """The turns with the texts that the set-up gave them, and what it put before them; a system message stays first."""
    own = 1 if turns[0].role == "system" else 0
    earlier = len(given) - len(turns)
    put = [Turn(message.role, message.text) for message in given[own : own + earlier]]
    rest = zip(turns[own:], given[own + earlier :], strict=True)
    return [*turns[:own], *put, *(replace(turn, text=message.text) for turn, message in rest)]
