"""``--set KEY=VALUE`` of the command, for a benchmark that has numbers of its own."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.figure import Failed

#: What is done where it is 1, and left out where it is 0.
SWITCHES = ("smaller",)


def numbers(overrides: Sequence[str], **defaults: int) -> dict[str, int]:
    """The defaults, with what the overrides set. Raises Failed for a key that is not among them, or no number."""
    found, others = split(overrides, **defaults)
    if others:
        raise Failed(f"--set {others[0]}: this benchmark knows {', '.join(f'{name}=NUMBER' for name in defaults)}")
    return found


def split(overrides: Sequence[str], **defaults: int) -> tuple[dict[str, int], list[str]]:
    """The defaults, with what the overrides set; and the overrides that set something else."""
    found, others = dict(defaults), []
    for override in overrides:
        key, _, value = override.partition("=")
        if key not in defaults:
            others.append(override)
            continue
        least = 0 if key in SWITCHES or defaults[key] == 0 else 1
        if not value.isdigit() or int(value) < least:
            raise Failed(f"--set {override}: {key} is a number from {least}")
        found[key] = int(value)
    return found, others
