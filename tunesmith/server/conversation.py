"""A client's messages as the prompt that a model was trained with."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tunesmith.example import Message
from tunesmith.server.refusal import Refusal
from tunesmith.server.requests import ChatMessage
from tunesmith.server.tool_fields import calls_of, check_characters
from tunesmith.tool_calls import ToolCall, Tools, Turn

#: OpenAI's newer word for the system message.
SYSTEM = ("system", "developer")


def turns_of(messages: Sequence[ChatMessage]) -> tuple[Turn, ...]:
    """The messages in our form; a client's own system message stands first, as in a training row that has one.

    Raises Refusal for what no model can be shown.
    """
    systems = [_text(message) for message in messages if message.role in SYSTEM]
    names: dict[str, str] = {}  # of functions, by the calls' ids
    rest = [_turn(message, names) for message in messages if message.role not in SYSTEM]
    if not rest:
        raise Refusal(400, "no_question", "there is no message of a user", param="messages")
    if rest[-1].role == "assistant":
        raise Refusal(400, "no_question", "the last message must be a user's", param="messages")
    _check_calls(rest)
    system = (Turn("system", "\n\n".join(systems)),) if systems else ()
    return (*system, *rest)


def prompt_of(messages: Sequence[ChatMessage], tools: Tools | None = None) -> tuple[Message, ...]:
    """The messages of a conversation without tools. Raises Refusal as `turns_of`, and ``tools_not_served``."""
    turns = turns_of(messages)
    if calls_tools(turns):
        what = "this model cannot be shown calls of tools: leave messages of tools out"
        raise Refusal(400, "tools_not_served", what, param="messages")
    if tools is not None:
        what = "this model cannot call tools: leave them out, or send tool_choice: none"
        raise Refusal(400, "tools_not_served", what, param="tools")
    return texts_of(turns)


def calls_tools(turns: Sequence[Turn]) -> bool:
    """Whether tools were called."""
    return any(turn.calls or turn.role == "tool" for turn in turns)


def texts_of(turns: Sequence[Turn]) -> tuple[Message, ...]:
    """All that is said, for rules and people: each text and each call as a message of its own."""
    return tuple(Message.of(turn.role, text) for turn in turns for text in _texts(turn))


def with_texts(turns: Sequence[Turn], texts: Sequence[Message]) -> tuple[Turn, ...]:
    """The conversation with other texts, which stand as `texts_of` gave them."""
    left = iter(texts)
    return tuple(_with_texts(turn, [next(left).text for _ in _texts(turn)]) for turn in turns)


def text_of_call(call: ToolCall) -> str:
    """A call as rules, the log and people see it: JSON with its name and arguments."""
    return f'{{"name": {json.dumps(call.name)}, "arguments": {call.arguments}}}'


def with_text(call: ToolCall, text: str) -> ToolCall | None:
    """The call with another text, as of `text_of_call`; None where that is no call of this function."""
    if text == text_of_call(call):
        return call
    try:
        told = json.loads(text)
        name, arguments = told["name"], told["arguments"]
    except (ValueError, KeyError, TypeError):
        return None
    if name != call.name or not isinstance(arguments, dict):
        return None
    return ToolCall(call.id, call.name, json.dumps(arguments, ensure_ascii=False))


def _texts(turn: Turn) -> list[str]:
    said = [turn.text] if turn.text or not turn.calls else []
    return [*said, *map(text_of_call, turn.calls)]


def _with_texts(turn: Turn, texts: Sequence[str]) -> Turn:
    said, calls = texts[: len(texts) - len(turn.calls)], texts[len(texts) - len(turn.calls) :]
    changed = tuple(_shown(call, text) for call, text in zip(turn.calls, calls, strict=True))
    return Turn(turn.role, "".join(said), changed, turn.call_id, turn.name)


def _shown(call: ToolCall, text: str) -> ToolCall:
    """An earlier call as a rule left it. Where that is no call any more, its whole text is what it was called with."""
    return with_text(call, text) or ToolCall(call.id, call.name, json.dumps({"masked": text}, ensure_ascii=False))


def _turn(message: ChatMessage, names: dict[str, str]) -> Turn:
    """One message that is not the system's; ``names`` is what was called before, and learns what is called here."""
    if message.role == "function":
        raise Refusal(400, "not_served", "the role function is not served: send the role tool", param="messages")
    text = _text(message)
    if message.role == "tool":
        if message.tool_call_id not in names:
            what = "a message of a tool must have the tool_call_id of a call in an earlier message"
            raise Refusal(400, "wrong_value", what, param="messages")
        return Turn("tool", text, call_id=message.tool_call_id, name=names[message.tool_call_id])
    if message.role == "user":
        return Turn("user", text)
    calls = calls_of(message.tool_calls)
    names |= {call.id: call.name for call in calls}
    return Turn("assistant", text, calls)


def _check_calls(turns: Sequence[Turn]) -> None:
    """Raises Refusal ``wrong_value`` where a call is not followed by what came of it."""
    waiting: set[str] = set()
    for turn in turns:
        if turn.role == "tool":
            waiting.discard(turn.call_id or "")
        elif waiting:
            break
        waiting |= {call.id for call in turn.calls}
    if waiting:
        what = "each call of a tool must be followed by a message of the role tool with its tool_call_id"
        raise Refusal(400, "wrong_value", what, param="messages")


def _text(message: ChatMessage) -> str:
    if message.content is None:
        return ""
    if isinstance(message.content, str):
        text = message.content
    else:
        other = next((part.type for part in message.content if part.type != "text"), None)
        if other:
            raise Refusal(400, "only_text", f"this model reads text, not {other!r}", param="messages")
        text = "".join(part.text or "" for part in message.content)
    check_characters(text, "messages")
    return text
