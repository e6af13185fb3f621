"""The ledger: every row that came in is kept, merged or set aside, and nothing is lost."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from tunesmith.errors import TunesmithError
from tunesmith.example_parquet import LEDGER, RowWriter, count_rows

KEPT, MERGED, SET_ASIDE = "examples.parquet", "merged.parquet", "set_aside.parquet"


class Ledger(RowWriter):
    """Write the ledger, and count its lines by code. Rows kept untouched have no line."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "ledger.parquet", LEDGER)
        self.by_code: Counter[str] = Counter()
        self.first_out: dict[str, tuple[str, str]] = {}  # code: id and evidence of the first row taken out for it
        self.changed = 0

    def line(self, id: str, state: str, code: str, evidence: str, into: str | None = None) -> None:
        self.by_code[code] += 1
        if state not in ("kept", "flagged"):
            self.first_out.setdefault(code, (id, evidence))
        self.write({"id": id, "state": state, "code": code, "evidence": evidence, "into": into})

    def change(self, id: str, fixes: list[tuple[str, str]], before: str | None) -> None:
        """One line for each fix of a row; ``before`` are its messages as they came in, None where they are private."""
        self.changed += 1
        for code, evidence in fixes:
            self.by_code[code] += 1
            self.write({"id": id, "state": "changed", "code": code, "evidence": evidence, "before": before})


def settled_counts(folder: Path, rows: int, collected: Any, ledger: Ledger) -> dict[str, Any]:
    """Count what was written, from the files' own footers.

    Raises TunesmithError when rows that came in are not all accounted for.
    """
    kept, merged, aside = (count_rows(folder / name) for name in (KEPT, MERGED, SET_ASIDE))
    if not rows == kept + merged + aside == collected:
        raise TunesmithError(
            "ledger_broken",
            f"{collected} examples were collected and {rows} read, but {kept} kept + {merged} merged + "
            f"{aside} set aside make {kept + merged + aside}",
            str(folder),
            "this is a fault in Tunesmith: nothing was kept of this run; please report it",
        )
    return {
        "in": rows,
        "kept": kept,
        "changed": ledger.changed,
        "merged": merged,
        "set_aside": aside,
        "by_code": dict(sorted(ledger.by_code.items())),
    }
