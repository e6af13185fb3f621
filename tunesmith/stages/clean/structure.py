"""Step `structure`: a row is a conversation that ends with the assistant's answer. Cannot be switched off."""

from __future__ import annotations

from tunesmith.example import ROLES, Example


def fault(example: Example) -> str | None:
    """Say what is wrong with the row's messages, or None."""
    roles = [message.role for message in example.messages]
    unknown = [role for role in roles if role not in ROLES]
    if unknown:
        return f"the role {str(unknown[0])!r} is none of {', '.join(ROLES)}"
    if "user" not in roles and not example.is_document:
        return "there is no user message"
    if roles[-1] != "assistant":
        return f"the last message is the {roles[-1]}'s, not the assistant's answer"
    return None
