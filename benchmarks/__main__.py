"""Run all benchmarks, or those named, and print their figures beside the bars."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from dataclasses import replace

from benchmarks.figure import Failed, Figure, Skipped

NAMES = ("help", "million_rows", "private_data", "banking77", "examples", "training")
MARKS = {True: "yes", False: "NO", None: ""}


def main() -> int:
    """0 when every bar was met; 1 when one was not, or a benchmark failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which to run: {', '.join(NAMES)} (default: all)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="passed on to `tunesmith run`, to try things"
    )
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in NAMES]
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}")
    ended = [show(name, arguments.set) for name in arguments.names or NAMES]
    return 0 if all(ended) else 1


def show(name: str, overrides: Sequence[str]) -> bool:
    """Run one benchmark and print what came of it. False when it failed or a bar was not met."""
    words = [f"python -m benchmarks {name}", *(f"--set {override}" for override in overrides)]
    print(f"\n{name}: {' '.join(words)}", flush=True)
    try:
        figures = importlib.import_module(f"benchmarks.{name}").run(overrides)
    except Skipped as reason:
        print(f"  skipped: {reason}")
        return True
    except Failed as reason:
        print(f"  FAILED: {reason}")
        return False
    if overrides:
        figures = [replace(figure, met=None) for figure in figures]
        print("  (other settings than a user's: held against no bar)")
    print("\n".join(table(figures)), flush=True)
    return all(figure.met is not False for figure in figures)


def table(figures: Sequence[Figure]) -> list[str]:
    """The figures as a Markdown table, its columns aligned."""
    rows = [["figure", "value", "bar", "met", "note"]]
    rows += [[figure.name, figure.shown, figure.bar, MARKS[figure.met], figure.note] for figure in figures]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    widths.append(len("note"))
    rows.insert(1, ["-" * width for width in widths])
    return [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]


if __name__ == "__main__":
    sys.exit(main())
