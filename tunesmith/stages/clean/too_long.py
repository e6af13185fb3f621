"""Step `too_long`: rows with an over-long message are set aside, never cut."""

from __future__ import annotations

from tunesmith.example import Example


def fault(example: Example, max_characters: int) -> str | None:
    """Say which message is too long, or None."""
    for message in example.messages:
        length = len(message.text)
        if length > max_characters:
            return (
                f"the {message.role} message has {length:,} characters, "
                f"more than clean.max_characters ({max_characters:,})"
            )
    return None
