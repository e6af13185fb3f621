"""``--set KEY=VALUE`` of the command, for a benchmark that has numbers of its own."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.figure import Failed


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
        elif value.isdigit() and int(value) > 0:
            found[key] = int(value)
        else:
            raise Failed(f"--set {override}: {key} is a number from 1")
    return found, others
