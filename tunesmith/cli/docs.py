"""`tunesmith docs`: write the generated pages, for those who work on Tunesmith. Hidden from the main help.

All of it comes from the settings themselves: docs/settings.md, docs/tunesmith.schema.json, and the table
of settings on each stage's page, between two marks.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tunesmith.cli.arguments import STAGES, everywhere

BEGIN = "<!-- settings: written by `make docs` -->"
END = "<!-- end of settings -->"
#: Blocks of tunesmith.yaml that are no stage's: what each is, and its page.
NO_STAGE = {
    "export": ("what an exported form must keep", "deploy"),
    "serve": ("how the model is served and watched", "serve"),
}
BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "minItems": "{} or more of them",
}


def add_parser(verbs: Any) -> None:
    about = "Write the generated pages of Tunesmith's own docs."
    # without help=, argparse leaves a verb out of the list
    parser = verbs.add_parser("docs", description=about, parents=[everywhere()], allow_abbrev=False)
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="the folder of the docs")
    parser.set_defaults(run_verb=run)


def run(arguments: argparse.Namespace) -> int:
    from tunesmith.artifact import write_text
    from tunesmith.cli.screen import Screen

    screen = Screen()
    for path, text in pages(arguments.out).items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write_text(path, text)
            screen.say(f"wrote {path}")
    return 0


def pages(folder: Path) -> dict[Path, str]:
    """Every generated page and its text; of a stage's page only the table between the marks is generated."""
    schema = json_schema()
    found = {
        folder / "settings.md": settings_page(schema),
        folder / "tunesmith.schema.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n",
    }
    for stage in STAGES:
        page = folder / f"{stage}.md"
        if page.exists():
            found[page] = _with_table(page.read_text(encoding="utf-8"), table(schema, stage))
    return found


def json_schema() -> dict[str, Any]:
    """The JSON Schema of tunesmith.yaml, for editors."""
    from tunesmith.project_file import ProjectSettings

    schema = ProjectSettings.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "tunesmith.yaml"}


class Key(NamedTuple):
    """One row of a table of settings, in words."""

    name: str
    type: str
    default: str
    description: str


def keys(schema: Mapping[str, Any], stage: str | None = None) -> Iterator[Key]:
    """The settings of one stage, or those of the project itself; entries of lists are written ``collect[].path``."""
    if stage is None:
        yield from (
            key for key in _keys(schema, schema, "") if "." not in key.name and key.name not in {*STAGES, *NO_STAGE}
        )
        return
    block = schema["properties"][stage]
    if block.get("type") == "array":
        yield from _keys(schema, _resolve(schema, block["items"]), f"{stage}[].")
    else:
        yield from _keys(schema, _resolve(schema, block), f"{stage}.")


def _keys(schema: Mapping[str, Any], block: Mapping[str, Any], prefix: str) -> Iterator[Key]:
    required = block.get("required", ())
    for name, rules in block["properties"].items():
        inner = next((option for option in (rules, *rules.get("anyOf", ())) if "$ref" in option), rules)
        nested = "properties" in _resolve(schema, inner) and "$ref" in inner
        default = "must be given" if name in required else "below" if nested else _default(rules)
        yield Key(prefix + name, _type(rules), default, rules.get("description", ""))
        entry = _resolve(schema, rules.get("items", {}))
        if "properties" in entry:
            yield from _keys(schema, entry, f"{prefix}{name}[].")
        if nested:
            yield from _keys(schema, _resolve(schema, inner), f"{prefix}{name}.")


def _resolve(schema: Mapping[str, Any], rules: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = str(rules.get("$ref", ""))
    found: Mapping[str, Any] = schema["$defs"][reference.rpartition("/")[2]] if reference else rules
    return found


def _default(rules: Mapping[str, Any]) -> str:
    if rules.get("type") == "array" and "default" not in rules:
        return "`[]`"
    default = rules.get("default")
    if default is None:
        return "absent"
    if isinstance(default, list):
        return f"`[{', '.join(map(str, default))}]`"
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"


def _type(rules: Mapping[str, Any]) -> str:
    """The type in words, with its bounds: a number, at least 0, less than 1."""
    if "$ref" in rules:
        return "mapping"
    if "anyOf" in rules:
        return " or ".join(_type(option) for option in rules["anyOf"] if option.get("type") != "null")
    if "enum" in rules:
        return ", ".join(f"`{value}`" for value in rules["enum"])
    if "const" in rules:
        return f"`{rules['const']}`"
    if rules.get("type") == "array":
        words = f"list of {_type(rules['items'])}"
    else:
        plain = {"string": "text", "object": "mapping", "boolean": "true or false", "integer": "whole number"}
        words = plain.get(str(rules.get("type")), str(rules.get("type")))
    return ", ".join([words, *(text.format(rules[bound]) for bound, text in BOUNDS.items() if bound in rules)])


def table(schema: Mapping[str, Any], stage: str | None) -> str:
    """The Markdown table of a stage's settings."""
    lines = ["| key | type | default | what it does |", "|---|---|---|---|"]
    for key in keys(schema, stage):
        cells = (f"`{key.name}`", key.type, key.default, key.description)
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines)


def settings_page(schema: Mapping[str, Any]) -> str:
    """The page with every key of tunesmith.yaml."""
    parts = [
        "# Settings",
        "Every key of `tunesmith.yaml`. This page is written by `make docs` from the settings themselves; "
        "editors can check a project file against [tunesmith.schema.json](tunesmith.schema.json).",
        "An unknown key is an error that names the nearest known one. `--set KEY=VALUE` changes a key for one run, "
        "such as `tunesmith run --set train.epochs=1`. `collect` is a list: each entry is one source.",
        "## The project",
        table(schema, None),
    ]
    for stage, about in STAGES.items():
        parts += [f"## {stage}", f"{about[:1].upper()}{about[1:]}: [{stage}.md]({stage}.md).", table(schema, stage)]
    for block, (about, page) in NO_STAGE.items():
        parts += [f"## {block}", f"{about[:1].upper()}{about[1:]}: [{page}.md]({page}.md).", table(schema, block)]
    return "\n\n".join(parts) + "\n"


def _with_table(page: str, text: str) -> str:
    """The page with the text between its marks. Raises ValueError when it has no marks."""
    marked = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    if not marked.search(page):
        raise ValueError(f"the page has no line {BEGIN}")
    return marked.sub(lambda _: f"{BEGIN}\n\n{text}\n\n{END}", page)
