"""`tunesmith format`: show what the model will see, token by token."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tunesmith.cli.arguments import STAGES, add_verb, open_project
from tunesmith.cli.run import add_making_options, make
from tunesmith.cli.stage import make_and_show

if TYPE_CHECKING:
    from rich.text import Text

    from tunesmith.cli.screen import Screen
    from tunesmith.shown_batch import ShownBatch, ShownBranch
    from tunesmith.shown_rows import ShownRow

ROWS_SHOWN = 3
#: Characters of a branch's line, and of its text however narrow the terminal is.
LONGEST_LINE, SHORTEST_TEXT = 140, 24
TRAINED_STYLE, CONTEXT_STYLE = "bold green", "dim"


def add_parser(verbs: Any) -> None:
    parser = add_verb(verbs, "format", run, f"make the stages up to format and show {STAGES['format']}")
    parser.add_argument(
        "--show",
        metavar="N",
        type=_count,
        nargs="?",
        const=ROWS_SHOWN,
        help=f"print N rows as the model sees them, trained tokens marked, and the first training step's rows "
        f"with what they share (default: {ROWS_SHOWN})",
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
    screen, project = Screen(), open_project(arguments)
    show_rows(screen, project.show_rows(arguments.show))
    show_batch(screen, project.show_batch(arguments.set))
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
    screen.say(f"{len(rows):,} row{'s' * (len(rows) != 1)}, {tokens:,} tokens. {legend}", wrap=True)
    for row in rows:
        screen.say()
        note = f", {row.note}" if row.note else ""
        screen.heading(f"{row.where} (id {row.id}): {row.tokens:,} tokens{note}")
        _show_pieces(screen, row)


def _show_pieces(screen: Screen, row: ShownRow) -> None:
    screen.console.print(_marked(screen, row.pieces), soft_wrap=True)


def _marked(screen: Screen, pieces: Sequence[tuple[str, bool]]) -> Text:
    """The text with its trained pieces coloured, or between « and »."""
    from rich.text import Text

    from tunesmith.cli.screen import safe

    shown = Text()
    for text, is_trained in pieces:
        if screen.coloured:
            shown.append(safe(text), TRAINED_STYLE if is_trained else CONTEXT_STYLE)
        else:
            shown.append(f"«{safe(text)}»" if is_trained else safe(text))
    return shown


def show_batch(screen: Screen, batch: ShownBatch) -> None:
    """Print the rows of one training step as training computes them: what rows share stands once, what goes on
    from it below, further to the right."""
    screen.say()
    which = "The first training step" if batch.split else "A training step (rows are not split yet)"
    rows = f"{batch.rows:,} rows" + (", each with its rejected answer" if batch.pairs else "")
    screen.heading(f"{which}, {rows}: {batch.tokens:,} tokens, {batch.computed:,} computed")
    if not batch.trees:
        screen.say(
            "An encoder's tokens see both directions, so rows share nothing; rows of like length stand together."
        )
        return
    for number, tree in enumerate(batch.trees, 1):
        screen.say()
        screen.say(f"tree {number} of {len(batch.trees)}: {sum(branch.computed for branch in tree):,} tokens computed")
        for branch in tree:
            _show_branch(screen, branch)


def _show_branch(screen: Screen, branch: ShownBranch) -> None:
    from rich.text import Text

    shared = f"{branch.rows:,} rows share " if branch.rows > 1 else ""
    saved = f" ({branch.saved:,} saved)" if branch.saved else ""
    head = f"{'  ' * branch.depth}{shared}{branch.tokens:,} token{'s' * (branch.tokens != 1)}{saved}: "
    room = max(SHORTEST_TEXT, min(screen.console.width, LONGEST_LINE) - len(head))
    screen.console.print(Text(head).append_text(_marked(screen, shortened(branch.pieces, room))), soft_wrap=True)


def shortened(pieces: Sequence[tuple[str, bool]], room: int) -> list[tuple[str, bool]]:
    """Pieces of text on one line of about ``room`` characters; of each its beginning and its end stay."""
    each = room // max(1, len(pieces)) - 2 * any(is_trained for _, is_trained in pieces)
    return [(_middle_cut(text.replace("\n", "⏎"), max(8, each)), is_trained) for text, is_trained in pieces]


def _middle_cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    end = (limit - 1) // 3
    return f"{text[: limit - 1 - end]}…{text[-end:]}"
