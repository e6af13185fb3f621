"""The stage `goal`: what should the model do, and how good is good enough."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from tunesmith import allowed_code
from tunesmith.artifact import write_json
from tunesmith.errors import InputError, raise_all
from tunesmith.json_schema import bad_patterns, uses
from tunesmith.stages.context import Context
from tunesmith.stages.goal.settings import GoalSettings

VERSION = 2

METRICS = {
    "label": ("accuracy", "macro_f1"),
    "json": ("valid_json", "schema_valid", "exact_match", "field_f1"),
    "text": ("exact_match", "rouge_l", "chrf", "token_accuracy"),
}


def run(inputs: Mapping[str, Any], settings: GoalSettings, context: Context) -> dict[str, Any]:
    """Write the goal sheet. Labels and schema are there by now: the pipeline wrote absent ones back."""
    schema = schema_of(settings, context.project)
    labels = [label.strip() for label in settings.labels or []]
    system = settings.system or default_system(settings.output, labels, schema)
    sheet = {
        "input": settings.input,
        "output": settings.output,
        "system": system.strip(),
        "labels": labels,
        "schema": schema,
        "success": [criterion.model_dump() for criterion in settings.success],
        "unknown": settings.unknown,
        "confidence": settings.confidence,
        "rules": rule_sheets(settings, context.project),
        "inferred": [] if settings.system else ["system"],
    }
    write_json(context.folder / "goal.json", sheet)
    if not settings.system:
        context.note(f"no goal.system was given; this one is used: {system}")
    return {"labels": len(labels), "criteria": len(settings.success)}


def check(settings: GoalSettings, root: Path) -> None:
    """Raise all faults of the goal's settings that need no data."""
    faults: list[InputError] = []
    try:
        schema = schema_of(settings, root)
    except InputError as error:
        schema = None
        faults.append(error)
    if settings.labels is not None and settings.output != "label":
        faults.append(
            InputError(
                "labels_without_label_output",
                f"labels are given, but the output is {settings.output}",
                "tunesmith.yaml: goal.labels",
                "set goal.output: label, or take the labels out",
            )
        )
    if settings.schema_ is not None and settings.output != "json":
        faults.append(
            InputError(
                "schema_without_json_output",
                f"a schema is given, but the output is {settings.output}",
                "tunesmith.yaml: goal.schema",
                "set goal.output: json, or take the schema out",
            )
        )
    faults += _rule_faults(settings, (schema or {}).get("properties", {}))
    try:
        for number, sheet in enumerate(rule_sheets(settings, root)):
            if "code" in sheet:
                allowed_code.check(sheet["code"], sheet["python"], f"tunesmith.yaml: goal.rules.{number}.python")
    except InputError as error:
        faults.append(error)
    known = METRICS[settings.output]
    for criterion in settings.success:
        name, _, field = criterion.metric.partition(".")
        properties = (schema or {}).get("properties", {})
        if name not in known or (field and (name != "field_f1" or (properties and field not in properties))):
            fields = f", field_f1.NAME for a field ({', '.join(properties)})" if properties else ""
            faults.append(
                InputError(
                    "unknown_metric",
                    f"{criterion.metric!r} is not measured for output: {settings.output}",
                    "tunesmith.yaml: goal.success",
                    f"known: {', '.join(known)}{fields}",
                )
            )
    raise_all(faults)


def _rule_faults(settings: GoalSettings, properties: Mapping[str, Any]) -> list[InputError]:
    """Rules about fields that no answer has."""
    faults = []
    for number, rule in enumerate(settings.rules):
        if rule.field is None or (settings.output == "json" and (not properties or rule.field in properties)):
            continue
        of_json = settings.output == "json"
        what = f"the schema has no field {rule.field!r}" if of_json else f"output: {settings.output} has no fields"
        fix = f"fields: {', '.join(properties)}" if of_json else "take `field` out: the rule is about the whole answer"
        faults.append(InputError("unknown_field", what, f"tunesmith.yaml: goal.rules.{number}.field", fix))
    return faults


def rule_sheets(settings: GoalSettings, root: Path) -> list[dict[str, Any]]:
    """The rules with what they name in files: schemas, and the text of Python code, which is not run here."""
    sheets = []
    for number, rule in enumerate(settings.rules):
        sheet, where = rule.given, f"tunesmith.yaml: goal.rules.{number}"
        if rule.schema_ is not None:
            sheet["schema"] = read_schema(rule.schema_, root, f"{where}.schema")
        if rule.python is not None:
            sheet["code"] = allowed_code.read(root, rule.python, f"{where}.python")
        sheets.append(sheet)
    return sheets


def schema_of(settings: GoalSettings, root: Path) -> dict[str, Any] | None:
    """The goal's JSON Schema, read from its file when it names one. Raises InputError when it is not one."""
    if settings.schema_ is None:
        return None
    where = "tunesmith.yaml: goal.schema"
    schema = read_schema(settings.schema_, root, where)
    if not isinstance(schema, dict) or schema.get("type") != "object" or not schema.get("properties"):
        raise InputError(
            "schema_not_object",
            "the schema must describe an object with properties",
            str(root / settings.schema_) if isinstance(settings.schema_, str) else where,
            'start with "type": "object"',
        )
    return schema


def read_schema(given: str | dict[str, Any], root: Path, where: str) -> Any:
    """A JSON Schema, inline or from the file that is named. Raises InputError when it is not one that can be used."""
    schema: Any = given
    if isinstance(given, str):
        path = root / given
        where = str(path)
        try:
            schema = json.loads(path.read_text(encoding="utf-8-sig"))
        except FileNotFoundError:
            raise InputError("no_schema", "there is no such schema file", where, "write it, or give another") from None
        except (ValueError, OSError) as error:
            raise InputError("broken_schema", f"this is not JSON: {error}", where, "mend the file") from error
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        place = "/".join(str(part) for part in error.absolute_path)
        raise InputError(
            "broken_schema", f"this is not a JSON Schema: {error.message}", f"{where} {place}".strip(), "mend it"
        ) from error
    raise_all([InputError("broken_schema", f"the pattern {bad}", where, "mend it") for bad in bad_patterns(schema)])
    if uses(schema, "patternProperties") and uses(schema, "unevaluatedProperties"):
        raise InputError(
            "broken_schema",
            "unevaluatedProperties beside patternProperties cannot be checked in bounded time",
            where,
            "use additionalProperties",
        )
    return schema


def default_system(output: str, labels: list[str], schema: Mapping[str, Any] | None) -> str:
    """A plain prompt that states the task, so that the base is measured fairly."""
    if output == "label":
        return f"Which of these labels fits the user's text: {', '.join(labels)}? Answer with the label alone."
    if output == "json" and schema:
        fields = [f'"{name}" ({_kind(rules)})' for name, rules in schema["properties"].items()]
        return f"Answer the user's text with one JSON object with the keys {', '.join(fields)}. Write the JSON alone."
    return "Answer the user's text."


def _kind(rules: Any) -> str:
    if isinstance(rules, Mapping) and "enum" in rules:
        return "one of: " + ", ".join(str(value) for value in rules["enum"])
    kind = rules.get("type", "anything") if isinstance(rules, Mapping) else "anything"
    return "text" if kind == "string" else str(kind)
