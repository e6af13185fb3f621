"""Style `quotes`: straight or curly quotation marks and apostrophes."""

from __future__ import annotations

import re

from tunesmith.stages.clean.styles.style import Forms, Style

_CURLY = re.compile("[“”„‟‘’‚‛]")
#: Not after a digit: 5'10" are feet and inches.
_STRAIGHT = re.compile(r"(?<!\d)\"|(?<![\d\W])'|'(?=\w)")
_TO_STRAIGHT = str.maketrans("“”„‟‘’‚‛", "\"\"\"\"''''")
_OPENING_DOUBLE = re.compile(r"(?:(?<=\s)|(?<=[(\[{—–-])|\A)\"(?=\S)")
_CLOSING_DOUBLE = re.compile(r"(?<=[^\s\d(\[{—–-])\"")
_APOSTROPHE = re.compile(r"(?<=[^\W\d_])'")


def forms(text: str) -> Forms:
    if _is_code(text):
        return {}
    curly = not text.isascii() and _CURLY.search(text) is not None
    straight = ('"' in text or "'" in text) and _STRAIGHT.search(text) is not None
    if curly and straight:
        return {"": "mixed"}
    return {"": "curly"} if curly else {"": "straight"} if straight else {}


def rewrite(text: str, wanted: Forms) -> str:
    if _is_code(text):
        return text
    if wanted.get("") == "straight":
        return text.translate(_TO_STRAIGHT)
    return _curled(text) if wanted.get("") == "curly" else text


def _curled(text: str) -> str:
    """Where it is not clear which mark opens and which closes, all stay as they are."""
    opened = _OPENING_DOUBLE.sub("“", text)
    closed = _CLOSING_DOUBLE.sub("”", opened)
    if closed.count("“") != closed.count("”"):
        closed = text
    return _APOSTROPHE.sub("’", closed) if not re.search(r"(?:\A|[\s(\[{—–-])'", closed) else closed


def _is_code(text: str) -> bool:
    return "`" in text or "</" in text or '="' in text


STYLE = Style(
    "quotes", forms, rewrite, {"straight": "straight (\" ')", "curly": "curly (“ ’)", "mixed": "both in one text"}
)
