"""Step `encoding`: texts that were read in the wrong encoding, such as "cafÃ©", are mended (ftfy)."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from typing import Any

from tunesmith.example import Example, Message, content_hash
from tunesmith.products import GoalSheet
from tunesmith.stages.clean.shorten import listed, writable

#: Longer texts are left alone; they are set aside as too long before anybody learns from them.
MOST_CHARACTERS = 200_000
#: A text about broken characters shows some. What they would be mended to is what it says they are not.
_ABOUT_IT = re.compile(
    r"\b(?:instead of|rather than|turn(?:s|ed)? into|"
    r"(?:show(?:s|n|ed)?|appear(?:s|ed)?|display(?:s|ed)?|render(?:s|ed)?) (?:up )?(?:as|like)|"
    r"encod(?:ed|ing)|utf-?8|charset|mojibake|garbled|"
    r"statt|anstatt|wird zu|werden zu|au lieu de|en lugar de|en vez de|invece di|em vez de)\b",
    re.IGNORECASE,
)
_QUOTED_BROKEN = 3
_UNUSUAL = re.compile(r"[^\x00-\x7f]+")
_SHOWN = 12


class EncodingMender:
    """The step for one goal: where a label or an allowed value is itself broken, answers stay as they are."""

    def __init__(self, goal: GoalSheet) -> None:
        self._answers = not any(mended(value) != value for value in _allowed(goal))

    def mend(self, example: Example) -> tuple[Example, str | None]:
        """The row with its texts mended, and what was done; no more than characters are told."""
        changes: list[str] = []
        last = len(example.messages) - 1
        messages = tuple(
            message
            if place == last and message.role == "assistant" and not self._answers
            else _mend_message(message, changes)
            for place, message in enumerate(example.messages)
        )
        rejected = example.rejected
        if rejected is not None and self._answers:
            rejected = _mend(rejected, changes)
        if not changes:
            return example, None
        found = replace(example, messages=messages, rejected=rejected, content_id=content_hash(messages, rejected))
        return found, "read in the wrong encoding: " + listed(dict.fromkeys(changes))


def mended(text: str) -> str:
    """The text as it was meant; sound text comes back as it is."""
    if text.isascii() or len(text) > MOST_CHARACTERS:
        return text
    is_bad, fix_text, config = _ftfy()
    if not is_bad(text) or (len(_UNUSUAL.findall(text)) <= _QUOTED_BROKEN and _ABOUT_IT.search(text)):
        return text
    return str(fix_text(text, config))


@cache
def _ftfy() -> tuple[Any, Any, Any]:
    from ftfy import TextFixerConfig, fix_text
    from ftfy.badness import is_bad

    config = TextFixerConfig(  # the encoding alone: what else ftfy tidies is a matter of taste
        unescape_html=False,
        remove_terminal_escapes=False,
        fix_latin_ligatures=False,
        fix_character_width=False,
        uncurl_quotes=False,
        fix_line_breaks=False,
        fix_surrogates=False,
        remove_control_chars=False,
        normalization=None,
        explain=False,
    )
    return is_bad, fix_text, config


def _allowed(goal: GoalSheet) -> list[str]:
    properties = (goal.schema or {}).get("properties", {})
    rules = [rule for rule in properties.values() if isinstance(rule, dict)]
    return [*goal.labels, *(value for rule in rules for value in rule.get("enum", ()) if isinstance(value, str))]


def _mend_message(message: Message, changes: list[str]) -> Message:
    if all(part.text is None or part.text.isascii() for part in message.parts):
        return message
    parts = tuple(
        replace(part, text=better) if part.text and (better := _mend(part.text, changes)) != part.text else part
        for part in message.parts
    )
    return Message(message.role, parts)


def _mend(text: str, changes: list[str]) -> str:
    better = mended(text)
    if better != text:
        changes.append(_first_change(text, better))
    return better


def _first_change(before: str, after: str) -> str:
    """The first characters that changed, such as "Ã©" → "é"; the words around them may be private."""
    for broken in _UNUSUAL.findall(before):
        if (better := mended(broken)) != broken:
            return f'"{writable(broken[:_SHOWN])}" → "{writable(better[:_SHOWN])}"'
    return f"{sum(a != b for a, b in zip(before, after, strict=False)):,} characters"
