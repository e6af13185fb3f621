"""`tunesmith format`: show what the model will see, token by token."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tunesmith.cli.arguments import STAGES, add_verb, open_project
from tunesmith.cli.run import add_making_options, make
from tunesmith.cli.stage import make_and_show

if TYPE_CHECKING:
    from tunesmith.cli.screen import Screen
    from tunesmith.project import ShownRow

ROWS_SHOWN = 3
TRAINED_STYLE, CONTEXT_STYLE = "bold green", "dim"


def add_parser(verbs: Any) -> None:
    parser = add_verb(verbs, "format", run, f"make the stages up to format and show {STAGES['format']}")
    parser.add_argument(
        "--show",
        metavar="N",
        type=_count,
        nargs="?",
        const=ROWS_SHOWN,
        help=f"print N rows as the model sees them, trained tokens marked (default: {ROWS_SHOWN})",
    )
    add_making_options(parser)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a number of rows is needed, not {text!r}")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    if arguments.show is None:
        return make_and_show(arguments, "format")
    from tunesmith.cli.screen import Screen

    make(arguments, Screen(stderr=True), to="format")
    show_rows(Screen(), open_project(arguments).show_rows(arguments.show))
    return 0


def show_rows(screen: Screen, rows: Sequence[ShownRow]) -> None:
    """Print rows with their trained pieces coloured, or between « and » where there is no colour."""
    tokens = sum(row.tokens for row in rows)
    trained = "in green" if screen.coloured else "between « and »"
    if any(is_trained for row in rows for _, is_trained in row.pieces):
        legend = f"Trained tokens stand {trained}: the loss looks at these alone. Special tokens are shown as they are."
    else:
        legend = (
            "The model learns to predict the label of each row from these tokens. Special tokens are shown as they are."
        )
    screen.say(f"{len(rows):,} rows, {tokens:,} tokens. {legend}", wrap=True)
    for row in rows:
        screen.say()
        note = f", {row.note}" if row.note else ""
        screen.heading(f"{row.where} (id {row.id}): {row.tokens:,} tokens{note}")
        _show_pieces(screen, row)


def _show_pieces(screen: Screen, row: ShownRow) -> None:
    from rich.text import Text

    from tunesmith.cli.screen import safe

    shown = Text()
    for text, is_trained in row.pieces:
        if screen.coloured:
            shown.append(safe(text), TRAINED_STYLE if is_trained else CONTEXT_STYLE)
        else:
            shown.append(f"«{safe(text)}»" if is_trained else safe(text))
    screen.console.print(shown, soft_wrap=True)
