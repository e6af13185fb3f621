"""Style `bullets`: the mark before the items of a list."""

from __future__ import annotations

import re

from tunesmith.stages.clean.styles.style import Forms, Style

_ITEM = re.compile(r"^([ \t]*)([-*•–])([ \t]+)(?=\S)", re.MULTILINE)


def forms(text: str) -> Forms:
    if "\n" not in text or "```" in text:
        return {}
    marks = [match.group(2) for match in _ITEM.finditer(text)]
    if len(marks) < 2:
        return {}
    return {"": marks[0] if len(set(marks)) == 1 else "mixed"}


def rewrite(text: str, wanted: Forms) -> str:
    if not forms(text) or wanted.get("") not in STYLE.words or wanted[""] == "mixed":
        return text
    return _ITEM.sub(rf"\g<1>{wanted['']}\g<3>", text)


STYLE = Style("bullets", forms, rewrite, {"-": "-", "*": "*", "•": "•", "–": "–", "mixed": "several in one list"})
