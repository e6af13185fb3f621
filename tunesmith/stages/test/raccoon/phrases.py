"""The raccoon's own words, from phrases.toml."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def phrases() -> dict[str, Any]:
    """All that stands in phrases.toml."""
    text = (files("tunesmith.stages.test.raccoon") / "phrases.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
