"""tunesmith.yaml: read it with all faults told at once, and write into it without losing a comment."""

from __future__ import annotations

import difflib
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from tunesmith.artifact import one_at_a_time, write_text
from tunesmith.deployment.settings import ServeSettings
from tunesmith.errors import InputError, raise_all
from tunesmith.export.settings import ExportSettings
from tunesmith.settings import Settings, shown, wanted, yaml_word
from tunesmith.stages.advise.settings import AdviseSettings
from tunesmith.stages.base.settings import BaseSettings
from tunesmith.stages.clean.settings import CleanSettings
from tunesmith.stages.collect.settings import SourceSettings
from tunesmith.stages.format.settings import FormatSettings
from tunesmith.stages.goal.settings import GoalSettings
from tunesmith.stages.improve.settings import ImproveSettings
from tunesmith.stages.split.settings import SplitSettings
from tunesmith.stages.test.settings import TestSettings
from tunesmith.stages.train.settings import TrainSettings

FILE = "tunesmith.yaml"
#: More values than any project has, once its aliases are written out.
MOST_VALUES = 100_000
#: What a block that can be switched off says then.
OFF = "off"


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
    advise: AdviseSettings = Field(default_factory=AdviseSettings)  # type: ignore[arg-type]
    train: TrainSettings = Field(default_factory=TrainSettings)  # type: ignore[arg-type]
    test: TestSettings = Field(default_factory=TestSettings)  # type: ignore[arg-type]
    improve: ImproveSettings = Field(default_factory=ImproveSettings)  # type: ignore[arg-type]
    export: ExportSettings = Field(default_factory=ExportSettings)  # type: ignore[arg-type]
    serve: ServeSettings = Field(default_factory=ServeSettings)  # type: ignore[arg-type]

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
            "name its folder with --project DIR, or make one: tunesmith new DIR --input text --output label|json|text",
        ) from None
    except UnicodeDecodeError as error:
        raise InputError("not_utf8", "the project file is not UTF-8 text", str(file), "save it as UTF-8") from error
    try:
        document = _yaml().load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{file}:{mark.line + 1}" if mark else str(file)
        raise InputError("broken_yaml", f"this is not YAML: {error.problem}", where, "mend that line") from error
    except (YAMLError, ValueError, RecursionError) as error:
        raise InputError("broken_yaml", f"this is not YAML: {error}", str(file), "mend the file") from error
    if not isinstance(document, Mapping):
        what = "the project file must hold keys and values" if text.strip() else "the project file is empty"
        raise InputError("broken_yaml", what, str(file), "`tunesmith new DIR` writes one to begin with")
    if _values(document, {}) > MOST_VALUES:
        raise InputError("broken_yaml", "aliases (*name) repeat too much", str(file), "write the values out")
    return document


def _values(value: Any, known: dict[int, float]) -> float:
    """How many values there are, aliases written out; infinite when one holds itself."""
    if not isinstance(value, Mapping | list):
        return 1
    if id(value) not in known:
        known[id(value)] = math.inf
        inner = value.values() if isinstance(value, Mapping) else value
        known[id(value)] = 1 + sum(_values(item, known) for item in inner)
    return known[id(value)]


def read(file: Path, overrides: Sequence[str] = ()) -> ProjectSettings:
    """Read and check the settings; ``overrides`` are ``stage.key=value`` strings.

    Raises InputError or Faults, every fault with its line and the nearest known key.
    """
    document = load(file)
    plain = _plain(document)
    faults: list[InputError] = []
    for override in overrides:
        try:
            _override(plain, override)
        except InputError as error:
            faults.append(error)
    try:
        settings = ProjectSettings.model_validate(plain)
    except ValidationError as error:
        faults += _faults(file, document, error, overrides)
    raise_all(faults)
    return settings


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
        if isinstance(block, dict) and block.get(key) == OFF:
            block[key] = {}  # a block that the file switches off, and this run wants
        block = block.setdefault(key, {}) if isinstance(block, dict) else None
        if not isinstance(block, dict):
            raise InputError("bad_override", f"{path} does not name a setting", "--set", "such as --set train.epochs=1")
    try:
        block[keys[-1]] = YAML(typ="safe").load(text)
    except (YAMLError, ValueError) as error:
        raise InputError("bad_override", f"{text!r} is not a YAML value", f"--set {path}", "quote it") from error


def _faults(file: Path, document: Any, error: ValidationError, overrides: Sequence[str]) -> list[InputError]:
    """Pydantic's errors in our words, with their lines."""
    found = _by_key(error).items()
    return [_fault(_where(file, document, keys, overrides), keys, items) for keys, items in found]


def _by_key(error: ValidationError) -> dict[tuple[Any, ...], list[Any]]:
    """Pydantic's errors by the key that they are about: one for each form that its value may have."""
    by_key: dict[tuple[Any, ...], list[Any]] = {}
    for item in error.errors():
        by_key.setdefault(_keys(item["loc"]), []).append(item)
    return by_key


def _keys(location: Sequence[Any]) -> tuple[Any, ...]:
    """The keys of a place in the file. Pydantic adds the branches of a type (`float`, `literal['auto']`)."""
    model: Any = ProjectSettings
    keys: list[Any] = []
    for part in location:
        if isinstance(part, str):
            if model is None:
                break
            model = _model_of(_fields(model).get(part))
        keys.append(part)
    return tuple(keys)


def where(file: Path, keys: Sequence[str | int]) -> str:
    """The place of a setting in the file, with its line where it stands there: ``tunesmith.yaml:12: serve.rules.0``."""
    return _where(file, load(file), keys, ())


def _where(file: Path, document: Any, keys: Sequence[Any], overrides: Sequence[str]) -> str:
    path = ".".join(map(str, keys))
    for override in overrides:
        given = override.partition("=")[0].strip()
        if f"{path}.".startswith(f"{given}.") or f"{given}.".startswith(f"{path}."):
            return f"--set {path}"
    line = _line(document, keys)
    return f"{file}:{line}: {path}" if line else f"{file}: {path}"


def _fault(where: str, keys: Sequence[Any], items: Sequence[Any]) -> InputError:
    """One fault of one key: ``items`` are Pydantic's errors, one for each form that the value may have."""
    kind, given = items[0]["type"], items[0]["input"]
    if kind == "extra_forbidden":
        known = _known_keys(keys[:-1])
        near = difflib.get_close_matches(str(keys[-1]), known, n=1)
        fix = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
        return InputError("unknown_key", f"unknown key {str(keys[-1])!r}", where, fix)
    if kind == "missing":
        return InputError("missing_key", "this key must be given", where, "add a line with it")
    if kind == "value_error":
        what = items[0]["msg"].removeprefix("Value error, ") + shown(given)
    else:
        what = f"this must be {' or '.join(dict.fromkeys(map(wanted, items)))}{shown(given)}"
    quoted = kind == "string_type" and isinstance(given, bool | int | float)
    return InputError("wrong_value", what, where, f'write "{yaml_word(given)}", in quotes' if quoted else _about(keys))


def _about(keys: Sequence[Any]) -> str:
    """The one sentence of a setting and its default; for a whole block its page."""
    field = _field(keys)
    if field is None or not field.description:
        return f"see docs/{keys[0] if keys and keys[0] in ProjectSettings.model_fields else 'settings'}.md"
    inside = bool(keys) and isinstance(keys[-1], int)  # one of a list: the default is the whole list's
    default = None if inside or field.is_required() else field.get_default(call_default_factory=True)
    told = default not in (None, [], {}) and not isinstance(default, BaseModel)
    otherwise = "" if not told else f", or leave it out: the default is {default}"
    return f"change it{otherwise}. It says: {field.description}"


def source(entry: Mapping[str, Any]) -> SourceSettings:
    """Check one entry of ``collect``. Raises InputError or Faults, with the entry's own keys."""
    try:
        return ProjectSettings.model_validate({"name": "project", "collect": [dict(entry)]}).collect[0]
    except ValidationError as error:
        found = _by_key(error).items()
        raise_all([_fault(f"collect.{'.'.join(map(str, keys[2:]))}", keys, items) for keys, items in found])
        raise


def _line(document: Any, location: Sequence[Any]) -> int | None:
    """The 1-based line of the deepest key of ``location`` that the file has."""
    line = None
    block: Any = document
    for part in location:
        try:
            lines = block.lc
            line = (lines.key(part) if isinstance(block, Mapping) else lines.item(part))[0] + 1
            block = block[part]
        except (KeyError, IndexError, TypeError, AttributeError):
            break
    return line


def _known_keys(location: Sequence[Any]) -> list[str]:
    model: Any = ProjectSettings
    for part in location:
        if isinstance(part, str):
            model = _model_of(_fields(model).get(part))
        if model is None:
            return []
    return list(_fields(model))


def _field(keys: Sequence[Any]) -> Any:
    """The setting that the keys name, or None."""
    field: Any = None
    model: Any = ProjectSettings
    for part in keys:
        if isinstance(part, str):
            field = _fields(model).get(part) if model is not None else None
            model = _model_of(field)
    return field


def _model_of(field: Any) -> Any:
    """The block of settings that a field holds, alone or as the items of a list, or None."""
    annotation = getattr(field, "annotation", None)
    kinds = (annotation, *getattr(annotation, "__args__", ()))
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def _fields(model: Any) -> dict[str, Any]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def edit(file: Path, change: Any) -> None:
    """Load the file, let ``change(document)`` edit it, and write it back whole with its comments.

    Who edits it at the same time waits, so that no change is lost.
    """
    with one_at_a_time(file.parent):
        document = load(file)
        change(document)
        stream = io.StringIO()
        _yaml().dump(document, stream)
        mode = file.stat().st_mode
        write_text(file, stream.getvalue())
        file.chmod(mode & 0o777)


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
