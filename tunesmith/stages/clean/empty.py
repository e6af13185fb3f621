"""Step `empty`: nothing to learn from a row whose input or answer is blank."""

from __future__ import annotations

import unicodedata
from typing import Any

from tunesmith.example import Example, Message

_UNSEEN = ("Zs", "Zl", "Zp", "Cc", "Cf")


def fault(example: Example) -> str | None:
    """Say which side is blank, or None."""
    if example.is_document:
        return "the text is empty" if _is_blank_message(example.messages[0]) else None
    if all(_is_blank_message(message) for message in example.prompt if message.role != "system"):
        return "the input is empty"
    if _is_blank_message(example.messages[-1]):
        return "the answer is empty"
    return None


def json_fault(answer: Any) -> str | None:
    """Say so when every field of a JSON answer is blank, as when the columns of a row are."""
    if isinstance(answer, dict) and answer and all(value is None or is_blank_value(value) for value in answer.values()):
        return "every field of the answer is empty"
    return None


def is_blank_value(value: Any) -> bool:
    return isinstance(value, str) and is_blank(value)


def is_blank(text: str) -> bool:
    """Whether nothing of the text can be seen: white space, zero-width and control characters alone."""
    if not text or text.isspace():
        return True
    return not text[0].isalnum() and all(unicodedata.category(character) in _UNSEEN for character in text.strip())


def _is_blank_message(message: Message) -> bool:
    return all(part.kind == "text" and is_blank(part.text or "") for part in message.parts)
