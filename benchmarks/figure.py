"""What a benchmark gives back."""

from __future__ import annotations

from dataclasses import dataclass


class Skipped(Exception):
    """What a benchmark needs is not here; the message says what, and where it is looked for."""


class Failed(Exception):
    """The measured command did not do what was to be measured."""


@dataclass(frozen=True)
class Figure:
    """One measured number. ``bar`` is what it should be, in words; ``met`` is None where there is no bar.

    ``number`` is the bar's in `benchmarks/README.md`, where it has one.
    """

    name: str
    value: float
    unit: str
    bar: str = ""
    met: bool | None = None
    note: str = ""
    number: int | None = None

    @property
    def shown(self) -> str:
        """The value with its unit; a value that is far below 1 by its power of ten."""
        size = abs(self.value)
        if 0 < size < 0.001:
            return f"{self.value:.2g} {self.unit}".strip()
        digits = 0 if size == int(size) or size >= 1000 else 1 if size >= 10 else 2 if size >= 1 else 3
        return f"{self.value:,.{digits}f} {self.unit}".strip()


def at_least(name: str, value: float, unit: str, bar: float, note: str = "", number: int | None = None) -> Figure:
    """A figure that should not be below its bar."""
    return Figure(name, value, unit, f"≥ {bar:g} {unit}".strip(), value >= bar, note, number)


def at_most(name: str, value: float, unit: str, bar: float, note: str = "", number: int | None = None) -> Figure:
    """A figure that should not be above its bar."""
    return Figure(name, value, unit, f"≤ {bar:g} {unit}".strip(), value <= bar, note, number)
