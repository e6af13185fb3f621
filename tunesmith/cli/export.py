"""`tunesmith export`: write the trained model for other programs, proven to answer as it did here."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from tunesmith.cli.arguments import add_verb, open_project
from tunesmith.errors import InputError

if TYPE_CHECKING:
    from tunesmith.cli.screen import Screen
    from tunesmith.export.run import Exported
    from tunesmith.export.shrink import Tried

#: As in export/forms.py, which is not imported for the help; a test holds the two together.
KINDS = ("gguf", "ollama", "hf", "vllm", "onnx")
PRECISIONS = ("f16", "q8_0", "q5_1", "q4_1", "f32", "float32", "int8")


def add_parser(verbs: Any) -> None:
    parser = add_verb(verbs, "export", run, "write the tuned model for other programs, with a certificate of parity")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--to", metavar="FORM", choices=KINDS, help=f"the form: {', '.join(KINDS)}")
    what.add_argument(
        "--shrink", action="store_true", help="try the smaller forms, and name the smallest that keeps to the bounds"
    )
    parser.add_argument(
        "--precision",
        metavar="WEIGHTS",
        choices=PRECISIONS,
        help="gguf, ollama: f16 (default), q8_0, q5_1, q4_1, f32; onnx: float32 (default), int8",
    )
    parser.add_argument("--out", metavar="DIR", help="the folder to write (default: exports/FORM in the project)")
    parser.add_argument("--rows", metavar="N", help="test rows to replay, or all (default: export.rows)")
    parser.add_argument("--json", action="store_true", help="the certificate as JSON, for machines")


def run(arguments: argparse.Namespace) -> int:
    from tunesmith.cli.screen import Screen
    from tunesmith.cli.steps import telling

    rows = _rows(arguments.rows)
    if arguments.shrink and (arguments.precision or arguments.out):
        what = "--shrink tries all precisions, each in its own folder"
        raise InputError("wrong_argument", what, "--shrink", "give --to instead")
    project = open_project(arguments)
    screen = Screen()
    with telling(Screen(stderr=True), "reading the project") as tell:
        if arguments.shrink:
            tried = project.shrink(rows=rows, tell=tell)
        else:
            made = project.export(arguments.to, precision=arguments.precision, out=arguments.out, rows=rows, tell=tell)
    if arguments.shrink:
        return _show_tried(screen, tried, arguments.json)
    if arguments.json:
        screen.console.file.write(json.dumps({"folder": str(made.folder), **made.certificate}) + "\n")
    else:
        _show(screen, made)
    return 0


def _rows(given: str | None) -> int | None:
    if given is None:
        return None
    if given == "all":
        return 1_000_000_000
    if not given.isdigit() or int(given) < 1:
        raise InputError("wrong_argument", f"{given!r} is no number of rows", "--rows", "--rows 50, or --rows all")
    return int(given)


def _show(screen: Screen, made: Exported) -> None:
    from tunesmith.cli.words import near_path

    found = made.certificate
    screen.heading(f"{made.form.name}: {near_path(made.folder)}" + ("" if made.fresh else " (up to date)"))
    screen.pairs(_facts(found))
    screen.say(f"Certificate: {near_path(made.folder / 'certificate.md')}")
    for note in found["notes"]:
        screen.say(note, "dim", wrap=True)


def _facts(found: Any) -> list[tuple[str, object]]:
    rows = found["rows"]
    answers = f"{found['answers_equal']} of {rows} the same"
    if found["explained"]:
        answers += f", {found['explained']} more differ at a near tie"
    return [
        ("test rows replayed", f"{rows} of {found['of_rows']}, by {found['engine']}"),
        ("prompts", f"{found['prompts_equal']} of {rows} with the same token ids"),
        ("greedy answers", answers),
        *((score["metric"], _score(score)) for score in found["scores"] if score["bound"]),
        ("size", f"{found['bytes'] / 1e6:,.1f} MB"),
    ]


def _score(score: Any) -> str:
    return (
        f"{score['exported']:.3f}, trained {score['trained']:.3f} (loss {score['loss']:+.3f}, "
        f"95% interval {score['low']:+.3f} to {score['high']:+.3f})"
    )


def _show_tried(screen: Screen, tried: list[Tried], as_json: bool) -> int:
    from tunesmith.cli.words import near_path
    from tunesmith.export.shrink import smallest

    best = smallest(tried)
    if as_json:
        told = [{"kept": one.kept is not None, **one.certificate} for one in tried]
        screen.console.file.write(json.dumps({"smallest": best.form.name if best else None, "tried": told}) + "\n")
        return 0 if best else 1
    screen.table(
        ["form", "size", "answers/s", "answers the same", "metric", "loss", ""],
        [_row(one) for one in tried],
        right=(1, 2, 3, 5),
    )
    if best is None or best.kept is None:
        screen.say("None keeps to the bounds of export in tunesmith.yaml.")
        return 1
    screen.say(f"The smallest that keeps to the bounds: {best.form.name}, {near_path(best.kept.folder)}")
    return 0


def _row(one: Tried) -> list[object]:
    found = one.certificate
    score = next(score for score in found["scores"] if score["bound"])
    return [
        one.form.name,
        f"{one.bytes / 1e6:,.1f} MB",
        f"{found['rows'] / found['seconds']:.2f}" if found["seconds"] else "",
        f"{found['answers_equal']} of {found['rows']}",
        f"{score['metric']} {score['exported']:.3f}",
        f"{score['loss']:+.3f}",
        "" if one.kept else "refused",
    ]
