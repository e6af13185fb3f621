"""`tunesmith add`: record files as sources, and show how they are read."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from tunesmith.cli.arguments import add_verb, open_project, screen_for

if TYPE_CHECKING:
    from tunesmith.cli.screen import Screen
    from tunesmith.stages.collect.look import SourceLook

ROWS_SHOWN = 3
FAULTS_SHOWN = 20


def add_parser(verbs: Any) -> None:
    parser = add_verb(verbs, "add", run, "add files or folders of examples, and show how they are read")
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        help="CSV, TSV, JSON, JSONL, Parquet or plain text, plain or .gz, or a folder",
    )
    columns: dict[str, Any] = {"nargs": "+", "action": "extend", "metavar": "COL"}
    parser.add_argument("--input", **columns, help="the column (or columns) that goes in")
    parser.add_argument("--output", **columns, help="the column that comes out; several become one JSON object")
    parser.add_argument("--tags", **columns, help="columns to keep as tags")
    parser.add_argument("--rejected", metavar="COL", help="the column with an answer that should not be given")
    parser.add_argument("--weight", metavar="COL", help="the column that scales a row's share of training")
    parser.add_argument("--part", choices=["train", "validation", "test"], help="put all rows in this part")
    parser.add_argument(
        "--shape",
        choices=["auto", "openai_chat", "prompt_completion", "alpaca", "sharegpt", "columns", "text"],
        help="how a row is laid out (default: auto, by looking)",
    )
    parser.add_argument("--bad-rows", choices=["stop", "set_aside"], help="what to do with rows that cannot be read")
    parser.add_argument("--encoding", help="the text encoding, such as utf-8 or cp1252 (default: auto)")
    parser.add_argument(
        "--delimiter", type=_delimiter, metavar="CHAR", help=r"the column separator of a CSV; \t is a tab"
    )
    parser.add_argument("--licence", help="the licence of the data, kept with every row")


def _delimiter(text: str) -> str:
    character = "\t" if text == r"\t" else text
    if len(character) != 1:
        raise argparse.ArgumentTypeError(f"one character is needed, not {text!r}")
    return character


def run(arguments: argparse.Namespace) -> int:
    project = open_project(arguments)
    names = (
        "input",
        "output",
        "tags",
        "rejected",
        "weight",
        "part",
        "shape",
        "bad_rows",
        "encoding",
        "delimiter",
        "licence",
    )
    given = {name: getattr(arguments, name) for name in names}
    keys = {name: _alone(name, value) for name, value in given.items() if value is not None}
    looks = project.add(arguments.files, **keys)
    screen = screen_for(arguments)
    for look in looks:
        _show(screen, look)
    screen.say(f"Added to tunesmith.yaml. Next: {screen.command('run')}")
    return 0


def _alone(name: str, value: Any) -> Any:
    """One column as a word, several as a list; tags are always a list."""
    return value[0] if name in ("input", "output") and len(value) == 1 else value


def _show(screen: Screen, look: SourceLook) -> None:
    """One file: how it is read, its first rows and its faults."""
    from tunesmith.cli.screen import brief
    from tunesmith.cli.show.collect import mapping_in_words
    from tunesmith.privacy.mask import masked_text

    screen.heading(str(look.path))
    screen.pairs(
        [("shape", look.shape), ("read as", mapping_in_words(look.mapping)), ("encoding", look.encoding or "")]
    )
    rows = [[brief(masked_text(given)), brief(masked_text(answer))] for given, answer in look.rows[:ROWS_SHOWN]]
    if rows:
        screen.table(["input", "output"], rows)
    for fault in look.faults[:FAULTS_SHOWN]:
        screen.say(str(fault), "yellow")
    if len(look.faults) > FAULTS_SHOWN:
        screen.say(f"… and {len(look.faults) - FAULTS_SHOWN:,} more", "yellow")
    screen.say()
