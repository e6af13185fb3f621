"""A client's messages as the prompt that a model was trained with."""

from __future__ import annotations

from collections.abc import Sequence

from tunesmith.example import Message
from tunesmith.server.refusal import Refusal
from tunesmith.server.requests import ChatMessage

#: OpenAI's newer word for the system message.
SYSTEM = ("system", "developer")


def prompt_of(messages: Sequence[ChatMessage]) -> tuple[Message, ...]:
    """The messages in our form; a client's own system message stands first, as in a training row that has one.

    Raises Refusal for what the model cannot be shown.
    """
    turns = [(message.role, _text(message)) for message in messages]
    systems = [text for role, text in turns if role in SYSTEM]
    rest = [Message.of("user" if role == "user" else "assistant", text) for role, text in turns if role not in SYSTEM]
    if not rest:
        raise Refusal(400, "no_question", "there is no message of a user", param="messages")
    if rest[-1].role != "user":
        raise Refusal(400, "no_question", "the last message must be a user's", param="messages")
    system = (Message.of("system", "\n\n".join(systems)),) if systems else ()
    return (*system, *rest)


def _text(message: ChatMessage) -> str:
    if message.role in ("tool", "function") or message.tool_calls:
        what = "this model was not trained to call tools: leave messages of tools out"
        raise Refusal(400, "tools_not_served", what, param="messages")
    if message.content is None:
        return ""
    if isinstance(message.content, str):
        text = message.content
    else:
        other = next((part.type for part in message.content if part.type != "text"), None)
        if other:
            raise Refusal(400, "only_text", f"this model reads text, not {other!r}", param="messages")
        text = "".join(part.text or "" for part in message.content)
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise Refusal(400, "not_utf8", "a message holds half a surrogate pair, which is no character", param="messages")
    return text
