"""Counts and times in words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

SINGULARS = {"criteria": "criterion", "passes": "pass"}


def counts_in_words(counts: Mapping[str, Any]) -> str:
    """The plain numbers and words among a stage's counts in one line; what is zero or nested is left out.

    Names in the plural follow their number ("312 rows"), others come first ("kept 300").
    """
    return ", ".join(_count(key.replace("_", " "), value) for key, value in counts.items() if _is_told(value))


def _is_told(value: Any) -> bool:
    return bool(value) and isinstance(value, (int, float, str)) and not isinstance(value, bool)


def _count(name: str, value: float | str) -> str:
    if isinstance(value, str):
        return f"{name} {value.replace('_', ' ')}"
    shown = f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
    if name in SINGULARS or name.endswith("s"):
        return f"{shown} {SINGULARS.get(name, name[:-1]) if value == 1 else name}"
    return f"{name} {shown}"


def done_of(done: float, total: float | None, unit: str) -> str:
    """How much is done: 40 of 200 steps, 12 of 93 MB."""
    if unit == "bytes":
        done, total, unit = done / 1e6, total / 1e6 if total else total, "MB"
    return f"{done:,.0f} of {total:,.0f} {unit}" if total else f"{done:,.0f} {unit}"


def near_path(path: Path) -> str:
    """The path from here when it lies below, else whole."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, FileNotFoundError):
        return str(path)
