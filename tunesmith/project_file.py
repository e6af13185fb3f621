"""tunesmith.yaml: read it with all faults told at once, and write into it without losing a comment."""

from __future__ import annotations

import difflib
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from tunesmith.artifact import write_text
from tunesmith.errors import InputError, raise_all
from tunesmith.settings import Settings
from tunesmith.stages.base.settings import BaseSettings
from tunesmith.stages.clean.settings import CleanSettings
from tunesmith.stages.collect.settings import SourceSettings
from tunesmith.stages.format.settings import FormatSettings
from tunesmith.stages.goal.settings import GoalSettings
from tunesmith.stages.split.settings import SplitSettings
from tunesmith.stages.test.settings import TestSettings
from tunesmith.stages.train.settings import TrainSettings

FILE = "tunesmith.yaml"


class ProjectSettings(Settings):
    """All settings of a project, composed of the stages' own."""

    version: int = Field(1, ge=1, le=1, description="The version of this file's form.")
    name: str = Field(min_length=1, pattern=r"^[\w.-]+$", description="The project's name.")
    seed: int = Field(0, ge=0, description="Seeds the split and the training.")
    goal: GoalSettings = Field(default_factory=GoalSettings)  # type: ignore[arg-type]
    base: BaseSettings = Field(default_factory=BaseSettings)  # type: ignore[arg-type]
    collect: list[SourceSettings] = Field(default_factory=list)
    clean: CleanSettings = Field(default_factory=CleanSettings)  # type: ignore[arg-type]
    format: FormatSettings = Field(default_factory=FormatSettings)  # type: ignore[arg-type]
    split: SplitSettings = Field(default_factory=SplitSettings)  # type: ignore[arg-type]
    train: TrainSettings = Field(default_factory=TrainSettings)  # type: ignore[arg-type]
    test: TestSettings = Field(default_factory=TestSettings)  # type: ignore[arg-type]

    def of(self, stage: str) -> Any:
        """The settings of one stage."""
        return getattr(self, stage)

    def dump(self, stage: str) -> Any:
        """The settings of one stage as plain JSON."""
        value = self.of(stage)
        if isinstance(value, list):
            return [item.model_dump(mode="json", by_alias=True) for item in value]
        return value.model_dump(mode="json", by_alias=True)


def _yaml() -> Any:
    from ruamel.yaml import YAML

    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = 120
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def load(file: Path) -> Any:
    """Parse the YAML, with line numbers. Raises InputError for broken YAML or a file that is not there."""
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(
            "no_project",
            "there is no Tunesmith project here",
            str(file),
            "tunesmith new DIR --input text --output label|json|text",
        ) from None
    except UnicodeDecodeError as error:
        raise InputError("not_utf8", "the project file is not UTF-8 text", str(file), "save it as UTF-8") from error
    try:
        document = _yaml().load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{file}:{mark.line + 1}" if mark else str(file)
        raise InputError("broken_yaml", f"this is not YAML: {error.problem}", where, "mend that line") from error
    except YAMLError as error:
        raise InputError("broken_yaml", f"this is not YAML: {error}", str(file), "mend the file") from error
    if not isinstance(document, Mapping):
        raise InputError("broken_yaml", "the project file must hold keys and values", str(file), "see `tunesmith new`")
    return document


def read(file: Path, overrides: Sequence[str] = ()) -> ProjectSettings:
    """Read and check the settings; ``overrides`` are ``stage.key=value`` strings.

    Raises InputError or Faults, every fault with its line and the nearest known key.
    """
    document = load(file)
    plain = _plain(document)
    for override in overrides:
        _override(plain, override)
    try:
        return ProjectSettings.model_validate(plain)
    except ValidationError as error:
        raise_all([_fault(file, document, item, overrides) for item in error.errors()])
        raise


def _plain(value: Any) -> Any:
    """Ruamel's containers as plain ones."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return str(value)


def _override(settings: dict[str, Any], override: str) -> None:
    """Apply ``train.epochs=1``. The value is read as YAML."""
    path, equals, text = override.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise InputError("bad_override", f"{override!r} is not key=value", "--set", "such as --set train.epochs=1")
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    block: Any = settings
    for key in keys[:-1]:
        block = block.setdefault(key, {}) if isinstance(block, dict) else None
        if not isinstance(block, dict):
            raise InputError("bad_override", f"{path} does not name a setting", "--set", "such as --set train.epochs=1")
    try:
        block[keys[-1]] = YAML(typ="safe").load(text)
    except YAMLError as error:
        raise InputError("bad_override", f"{text!r} is not a YAML value", f"--set {path}", "quote it") from error


def _fault(file: Path, document: Any, item: Any, overrides: Sequence[str]) -> InputError:
    """One of pydantic's errors in our words, with its line."""
    location = [
        part for part in item["loc"] if not (isinstance(part, str) and part.startswith(("function-", "literal")))
    ]
    path = ".".join(str(part) for part in location)
    line = _line(document, location)
    where = f"{file}:{line}: {path}" if line else (f"--set {path}" if overrides else f"{file}: {path}")
    if item["type"] == "extra_forbidden":
        known = _known_keys(location[:-1])
        near = difflib.get_close_matches(str(location[-1]), known, n=1)
        fix = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
        return InputError("unknown_key", f"unknown key {str(location[-1])!r}", where, fix)
    if item["type"] == "missing":
        return InputError("missing_key", "this key must be given", where, "add it")
    message = item["msg"].removeprefix("Value error, ")
    given = item["input"]
    shown = f" (it is {given!r})" if isinstance(given, (str, int, float, bool)) else ""
    return InputError("wrong_value", f"{message}{shown}", where, f"see docs/{location[0] if location else 'goal'}.md")


def _line(document: Any, location: Sequence[Any]) -> int | None:
    """The 1-based line of the deepest key of ``location`` that the file has."""
    line = None
    block: Any = document
    for part in location:
        try:
            at = block.lc.key(part) if isinstance(block, Mapping) else block.lc.item(part)
            line = at[0] + 1
            block = block[part]
        except (KeyError, IndexError, TypeError, AttributeError):
            break
    return line


def _known_keys(location: Sequence[Any]) -> list[str]:
    model: Any = ProjectSettings
    for part in location:
        if isinstance(part, int):
            continue
        field = _fields(model).get(str(part))
        if field is None:
            return []
        annotation = field.annotation
        arguments = getattr(annotation, "__args__", ())
        models = [item for item in (annotation, *arguments) if isinstance(item, type) and issubclass(item, BaseModel)]
        if not models:
            return []
        model = models[0]
    return list(_fields(model))


def _fields(model: Any) -> dict[str, Any]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def edit(file: Path, change: Any) -> None:
    """Load the file, let ``change(document)`` edit it, and write it back whole with its comments."""
    document = load(file)
    change(document)
    stream = io.StringIO()
    _yaml().dump(document, stream)
    mode = file.stat().st_mode
    write_text(file, stream.getvalue())
    os.chmod(file, mode & 0o777)


def template(name: str, input: str, output: str) -> str:
    """The commented project file that `tunesmith new` writes."""
    from importlib.resources import files

    text = (files("tunesmith") / "project_template.yaml").read_text(encoding="utf-8")
    blocks = {
        "label": "  # labels: [billing, delivery]      # absent: read from the data and written here\n"
        "  success: [{metric: accuracy, at_least: 0.8}]",
        "json": "  # schema: answer.schema.json         # absent: read from the data and written here\n"
        "  success: [{metric: field_f1, at_least: 0.8}]",
        "text": "  success: [{metric: rouge_l, at_least: 0.3}]",
    }
    return text.replace("NAME", name).replace("INPUT", input).replace("OUTPUT", output).replace("GOAL", blocks[output])
