"""The raccoon's own words, from phrases.toml, and their gaps filled with a row's."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def phrases() -> dict[str, Any]:
    """Return all that stands in phrases.toml, by its tables."""
    text = (files("tunesmith.stages.test.raccoon") / "phrases.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def filled(phrase: str, **gaps: str) -> str:
    """Fill the gaps of a phrase, such as TEXT; what is filled in is left as it is, whatever words it holds."""
    return re.sub("|".join(gaps), lambda gap: gaps[gap[0]], phrase)
