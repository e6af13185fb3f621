"""Style `full_stop`: whether a short text of one line ends with a full stop."""

from __future__ import annotations

from tunesmith.stages.clean.styles.style import Forms, Style
from tunesmith.stages.clean.truncated import USUAL, hangs

LONGEST = 200
FEWEST_WORDS = 3


def forms(text: str) -> Forms:
    bare = text.strip()
    if not bare or len(bare) > LONGEST or "\n" in bare or bare.count(" ") + 1 < FEWEST_WORDS or "://" in bare:
        return {}
    if bare.endswith(".") and not bare.endswith(".."):
        return {"": "with"}
    return {"": "without"} if bare[-1].isalpha() and not hangs(bare) else {}


def rewrite(text: str, wanted: Forms) -> str:
    now = forms(text).get("")
    bare = text.rstrip()
    if now == "without" and wanted.get("") == "with":
        return f"{bare}."
    if now == "with" and wanted.get("") == "without" and ". " not in bare:  # of several sentences each has its own
        return bare[:-1]
    return text


STYLE = Style(
    "full_stop",
    forms,
    rewrite,
    {"with": "a full stop at the end", "without": "no full stop at the end"},
    unless_share={"with": USUAL},  # then the step `truncated` shows the others
)
