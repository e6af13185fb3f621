"""Style `spaces`: white space before and after a text, and several blank lines in a row."""

from __future__ import annotations

import re

from tunesmith.stages.clean.styles.style import Forms, Style

_BLANK_LINES = re.compile(r"\n[ \t]*(?:\r?\n[ \t]*){2,}(?=\S)")


def forms(text: str) -> Forms:
    return {"": "tidy" if text == _tidy(text) else "stray"}


def rewrite(text: str, wanted: Forms) -> str:
    return _tidy(text) if wanted.get("") == "tidy" else text


def _tidy(text: str) -> str:
    bare = text.strip()
    return _BLANK_LINES.sub("\n\n", bare) if "\n" in bare and "```" not in bare else bare


STYLE = Style(
    "spaces", forms, rewrite, {"tidy": "no stray spaces or blank lines", "stray": "with stray ones"}, only="tidy"
)
