"""From references and answers to one statistic a metric, by the kind of output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from tunesmith.products import Rule
from tunesmith.scoring.json_answers import field_names, measure_json, parse
from tunesmith.scoring.labels import measure_labels
from tunesmith.scoring.prose import measure_prose
from tunesmith.scoring.rules import measure_rules
from tunesmith.scoring.statistic import Mean, Statistic

Output = Literal["text", "label", "json"]

#: The metric that says how good one row is, and that stands first where the goal names none.
ROW_METRIC: dict[Output, str] = {"label": "accuracy", "json": "field_f1", "text": "rouge_l"}

#: More is not better: these are shown, and not compared.
NOT_COMPARED = frozenset({"length_ratio", "bits_per_byte"})

#: Of texts without a question: these are measured by likelihood, see `likelihood.py`; the first says how good one is.
TEXT_METRICS = ("token_accuracy", "bits_per_byte")


def measure(
    output: Output,
    references: Sequence[str],
    answers: Sequence[str],
    *,
    labels: Sequence[str] = (),
    schema: Mapping[str, Any] | None = None,
    rules: Sequence[Rule] = (),
    inputs: Sequence[str] | None = None,
) -> dict[str, Statistic]:
    """Measure answers against references, row by row, and against the goal's rules. Metrics come in a fixed order.

    ``inputs`` are what the answers answer; rules in Python need them.

    Raises ValueError when the two do not have the same length.
    """
    if len(references) != len(answers):
        raise ValueError(f"{len(references)} references cannot be paired with {len(answers)} answers")
    if output == "label":
        found = measure_labels(references, answers, labels)
    elif output == "json":
        found = measure_json(references, answers, schema)
    else:
        found = measure_prose(references, answers)
    return {**found, **(measure_rules(answers, rules, is_json=output == "json", inputs=inputs) if rules else {})}


def metrics_of(
    output: Output, references: Sequence[str], schema: Mapping[str, Any] | None = None, rules: Sequence[Rule] = ()
) -> list[str]:
    """The names of the metrics that `measure` will give, before there is any answer."""
    kept = ["rules_kept"] if rules else []
    if output == "label":
        return ["accuracy", "macro_f1", *kept]
    if output == "text":
        return ["rouge_l", "chrf", "exact_match", "length_ratio", *kept]
    names = ["valid_json", *(["schema_valid"] if schema is not None else []), "exact_match", "field_f1"]
    return [*names, *(f"field_f1.{name}" for name in field_names([parse(text) for text in references], schema)), *kept]


def is_proportion(statistic: Statistic) -> bool:
    """True when the statistic is a share of rows."""
    return isinstance(statistic, Mean) and statistic.binary
