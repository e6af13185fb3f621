"""All faults of all sources, told together; the memory they take is bounded."""

from __future__ import annotations

from tunesmith.errors import Faults, InputError

SHOWN = 20
MOST = 10_000


class FaultList:
    """Keep the first faults and count the rest. Faults of whole files are told before those of rows."""

    def __init__(self, shown: int = SHOWN, most: int = MOST) -> None:
        self.shown = shown
        self.most = most
        self.count = 0
        self._of_files: list[InputError] = []
        self._of_rows: list[InputError] = []

    def add_file(self, fault: InputError) -> None:
        """Note what is wrong with a whole file or source."""
        inner = fault.faults if isinstance(fault, Faults) else [fault]
        self.count += len(inner)
        self._of_files += inner[: self.shown]

    def add_row(self, fault: InputError) -> None:
        """Note what is wrong with one row. Raises all at the ten-thousandth: more would help nobody."""
        self.count += 1
        if len(self._of_rows) < self.shown:
            self._of_rows.append(fault)
        if self.count >= self.most:
            self.raise_if_any()

    def __len__(self) -> int:
        return self.count

    def raise_if_any(self) -> None:
        """Raise the one fault as it is, several as one Faults; return when there are none."""
        if self.count == 0:
            return
        shown = (self._of_files + self._of_rows)[: self.shown]
        if self.count == 1:
            raise shown[0]
        raise Faults(shown, more=self.count - len(shown))
