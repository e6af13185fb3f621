"""The command `tunesmith`: read the arguments, run the verb, and turn its end into an exit code.

0 done, 1 a stage failed, 2 the project or its input is wrong, 3 done but not shown to be good enough, 4 (`--gate`) not
enough evidence, 130 cancelled. Only argparse is imported until a verb runs.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from typing import Any

from tunesmith.cli import (
    add,
    advise,
    ask,
    backup,
    base,
    blind_review,
    clean,
    deploy,
    docs,
    export,
    format,
    improve,
    inbox,
    monitor,
    new,
    rounds,
    run,
    serve,
    show,
    stage,
    status,
)
from tunesmith.cli.arguments import everywhere
from tunesmith.errors import Cancelled, TunesmithError, from_os_error, os_error_in

VERBS = (
    new,
    add,
    run,
    status,
    show,
    ask,
    export,
    deploy,
    serve,
    monitor,
    inbox,
    backup,
    blind_review,
    stage,
    base,
    clean,
    format,
    advise,
    improve,
    rounds,
    docs,
)
CANCELLED = 130
STOPPED = "Stopped by you; what was finished is kept. The same command goes on from there."


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    _set_streams()
    parser = build_parser()
    debug = False
    try:
        arguments = parser.parse_args(argv)
        debug = getattr(arguments, "debug", False)
        if not hasattr(arguments, "run_verb"):
            parser.print_help(sys.stderr)
            return 2
        code = int(arguments.run_verb(arguments))
        sys.stdout.flush()
        return code
    except SystemExit as end:  # argparse ends --help with 0 and wrong arguments with 2; see also run.make
        return _finish_help(end)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        _silence()
        return 0
    except KeyboardInterrupt:
        _tell(STOPPED)
        return CANCELLED
    except Exception as error:
        return _fail(error, debug)


def build_parser() -> argparse.ArgumentParser:
    """The parser of all verbs."""
    parser = argparse.ArgumentParser(
        prog="tunesmith",
        description="From a file of examples to a tested, tailored model that you own.",
        epilog="Begin with `tunesmith new DIR --output label`, `tunesmith add FILE`, `tunesmith run`. "
        "Exit codes: 0 done, 1 a stage failed, 2 the project or its input is wrong, "
        "3 done but not shown to be good enough, 4 (--gate) not enough evidence, 130 cancelled.",
        parents=[everywhere()],
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and end")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", prog="tunesmith")
    for verb in VERBS:
        verb.add_parser(verbs)
    return parser


class _Version(argparse.Action):
    """Look the version up when it is asked for, not at each start."""

    def __call__(self, parser: argparse.ArgumentParser, *rest: Any) -> None:
        from tunesmith.version import __version__

        sys.stdout.write(f"tunesmith {__version__}\n")
        parser.exit()


def _fail(error: Exception, debug: bool) -> int:
    """Tell an error on stderr and return its exit code."""
    if debug:
        import traceback

        traceback.print_exception(error)
    if isinstance(error, Cancelled):
        what = f"{error.what[:1].upper()}{error.what[1:]}"
        _tell(f"{what}. {error.fix[:1].upper()}{error.fix[1:]}.")
        return error.exit_code
    from_system = None if isinstance(error, TunesmithError) else os_error_in(error)
    known = from_os_error(from_system) if from_system else error
    if isinstance(known, TunesmithError):
        _tell(str(known), error=True)
        return known.exit_code
    hint = "" if debug else "; run with --debug for the traceback"
    _tell(f"a bug in Tunesmith: {type(error).__name__}: {error}{hint}", error=True)
    return 1


def _tell(text: str, error: bool = False) -> None:
    """Write to stderr, with nothing in the text obeyed by the terminal."""
    from tunesmith.cli.screen import Screen

    try:
        Screen(stderr=True).say(text, style="red" if error else "")
    except BrokenPipeError:
        pass  # nobody is left to be told


def _set_streams() -> None:
    """Show what the encoding cannot write as an escape, and send each line on at once."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace", line_buffering=True)


def _finish_help(end: SystemExit) -> int:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _silence()
    return end.code if isinstance(end.code, int) else 0 if end.code is None else 1


def _silence() -> None:
    """Send the rest of stdout nowhere, so that the interpreter's last flush does not fail."""
    from tunesmith.cli.screen import silence

    silence(sys.stdout)
