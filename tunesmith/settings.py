"""The parent of every stage's settings: strict, described, no unknown keys. And how a wrong value is told."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """A block of ``tunesmith.yaml``. Unknown keys are errors; values are checked at once."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False)


#: By the beginning of the name of Pydantic's error.
_WANTED = {
    "int": "a whole number",
    "float": "a number",
    "string": "text",
    "bool": "true or false",
    "list": "a list",
    "dict": "keys with values",
    "model": "keys with values",
}


def wanted(item: Any) -> str:
    """What one of Pydantic's errors says that a value must be, in words that follow "must be"."""
    kind: str = item["type"]
    if kind in ("string_pattern_mismatch", "string_too_short", "string_too_long", "too_short"):
        context = item["ctx"]
        least = context.get("min_length", 0)
        if kind == "string_pattern_mismatch":
            return "made of letters, digits, -, _ and . alone"
        return f"a list of {least} or more" if kind == "too_short" else "one character" if least < 2 else "longer"
    if kind.endswith(("_type", "_parsing", "_from_float")) and kind.partition("_")[0] in _WANTED:
        return _WANTED[kind.partition("_")[0]]
    return str(item["msg"]).removeprefix("Input should be ")


def shown(given: Any) -> str:
    """The value that was given, in brackets; nothing for a block of keys or a list."""
    if given is None:
        return " (nothing is given)"
    if isinstance(given, str):
        return f" (it is {given if len(given) <= 60 else given[:60] + '…'!r})"
    return f" (it is {yaml_word(given)})" if isinstance(given, bool | int | float) else ""


def yaml_word(value: float) -> str:
    """A number, true or false as it stands in the file."""
    return str(value).lower() if isinstance(value, bool) else str(value)
