"""Shares and lists in words."""

from __future__ import annotations

from collections.abc import Sequence


def percent(value: float) -> str:
    """A share of one in percent."""
    return f"{100 * value:.1f}%"


def listed(names: Sequence[str]) -> str:
    """Names, at least one, inside a sentence: a, b and c."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
