"""Run all benchmarks, or those named, and print their figures beside the bars."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from dataclasses import replace

from benchmarks.figure import Failed, Figure, Skipped

NAMES = (
    "help",
    "million_rows",
    "near_duplicates",
    "leaks",
    "private_data",
    "private_names",
    "wrong_labels",
    "statistics",
    "verdicts",
    "banking77",
    "examples",
    "training_chat",
    "training_llama_factory",
    "training_bare",
    "training_documents",
    "training_preferences",
    "training_planning",
    "classifier_all",
    "classifier_few",
    "active_choice",
    "answers",
    "advice",
    "forecast",
    "parity",
    "serving_labels",
    "recording",
    "serving_text",
)
REACHED = {True: "PASS", False: "not reached", None: ""}


def main() -> int:
    """0 when every bar was reached; 1 when one was not, or a benchmark failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"which to run: {', '.join(NAMES)} (default: all); `training` is all that begin so",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a smaller job or another setting, to try things",
    )
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if not named(name)]
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}")
    names = list(dict.fromkeys(one for name in arguments.names or NAMES for one in named(name)))
    outcomes = [(name, *show(name, arguments.set)) for name in names]
    print("\n" + "\n".join(summary(outcomes)), flush=True)
    return 0 if all(ended_well(figures, why) for _, figures, why in outcomes) else 1


def named(name: str) -> list[str]:
    """The benchmarks of this name, or whose names begin with it and an underscore."""
    return [one for one in NAMES if one == name or one.startswith(f"{name}_")]


def show(name: str, overrides: Sequence[str]) -> tuple[list[Figure], str]:
    """Run one benchmark and print what came of it: its figures, or why there are none."""
    words = [f"python -m benchmarks {name}", *(f"--set {override}" for override in overrides)]
    print(f"\n{name}: {' '.join(words)}", flush=True)
    try:
        figures = importlib.import_module(f"benchmarks.{name}").run(overrides)
    except (Skipped, Failed) as reason:
        told = f"{'skipped' if isinstance(reason, Skipped) else 'FAILED'}: {reason}"
        print(f"  {told}", flush=True)
        return [], told
    if overrides:
        figures = [replace(figure, met=None) for figure in figures]
        print("  (other settings than a user's: held against no bar)")
    heads = ["figure", "value", "target", "reached", "note"]
    rows = [[figure.name, figure.shown, figure.bar, REACHED[figure.met], figure.note] for figure in figures]
    print("\n".join(table(heads, rows)), flush=True)
    return figures, ""


def ended_well(figures: Sequence[Figure], why: str) -> bool:
    return not why.startswith("FAILED") and all(figure.met is not False for figure in figures)


def summary(outcomes: Sequence[tuple[str, Sequence[Figure], str]]) -> list[str]:
    """Every bar with its number, its figure and whether it was reached; and what gave no figure."""
    rows = []
    for name, figures, why in outcomes:
        if why:
            rows.append(["", name, "", "", why.partition(":")[0]])
        for figure in figures:
            if figure.bar:
                number = str(figure.number or "")
                rows.append([number, figure.name, figure.shown, figure.bar, REACHED[figure.met] or "not held to it"])
    return table(["bar", "figure", "value", "target", "reached"], rows)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table, its columns aligned but for the last."""
    lines = [list(heads), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads) - 1)]
    widths.append(len(heads[-1]))
    lines.insert(1, ["-" * width for width in widths])
    return [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]


if __name__ == "__main__":
    sys.exit(main())
