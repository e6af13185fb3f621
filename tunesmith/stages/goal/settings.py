"""Settings of the stage `goal`: what should the model do, and how good is good enough."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal

from pydantic import Field, field_validator

from tunesmith.settings import Settings

METRICS = (
    "accuracy, macro_f1 (label); valid_json, schema_valid, exact_match, field_f1, field_f1.NAME (json); "
    "exact_match, rouge_l, chrf (text); token_accuracy (texts without a question)"
)


class SuccessSettings(Settings):
    """One success criterion."""

    metric: str = Field(description=f"What is measured: {METRICS}.")
    at_least: float = Field(ge=0, le=1, description="The smallest value that is good enough, 0 to 1.")


class GoalSettings(Settings):
    """What should the model do, and how good is good enough."""

    input: Literal["text"] = Field("text", description="What goes in.")
    output: Literal["text", "label", "json"] = Field("text", description="What comes out.")
    system: str | None = Field(
        None, description="The system prompt, used for training, testing and serving. Absent: a plain one is written."
    )
    labels: list[str] | None = Field(
        None, min_length=2, description="The labels, for output: label. Absent: read from the data and written here."
    )
    schema_: str | dict[str, Any] | None = Field(
        None,
        alias="schema",
        description="A JSON Schema (a file or inline), for output: json. Absent: read from the data and written here.",
    )
    success: list[SuccessSettings] = Field(default_factory=list, description="How good is good enough, on test rows.")
    unknown: Literal["answer", "hand_off"] = Field(
        "answer",
        description="What to do with input that the model is unsure of: answer anyway, or hand off to a person.",
    )
    confidence: float = Field(
        0.5, ge=0, le=1, description="With unknown: hand_off, answers below this confidence (0 to 1) are handed off."
    )

    @field_validator("labels")
    @classmethod
    def _labels_differ(cls, labels: list[str] | None) -> list[str] | None:
        if labels is not None:
            seen = Counter(label.strip() for label in labels)
            wrong = ["a label is empty"] if "" in seen else []
            if twice := sorted(label for label, times in seen.items() if label and times > 1):
                wrong.append(f"these labels stand there twice: {', '.join(twice)}")
            if wrong:
                raise ValueError("; ".join(wrong))
        return labels
