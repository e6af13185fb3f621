"""Settings of the stage `goal`: what should the model do, and how good is good enough."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from tunesmith.language import known_languages
from tunesmith.settings import Settings

#: A longer pattern is written by a program, not by a person.
MOST_PATTERN = 2000
METRICS = (
    "accuracy, macro_f1 (label); valid_json, schema_valid, exact_match, field_f1, field_f1.NAME (json); "
    "exact_match, rouge_l, chrf (text); token_accuracy (texts without a question); rules_kept (where there are rules)"
)


class SuccessSettings(Settings):
    """One success criterion."""

    metric: str = Field(description=f"What is measured: {METRICS}.")
    at_least: float = Field(ge=0, le=1, description="The smallest value that is good enough, 0 to 1.")


Texts = Annotated[tuple[str, ...], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)]


class RuleSettings(Settings):
    """One rule that every answer must keep to. Several keys of one rule must all hold."""

    field: str | None = Field(
        None, description="The field of a JSON answer that it is about. Absent: the whole answer."
    )
    contains: Texts = Field((), description="Words that must all be there, in any case.")
    never_contains: Texts = Field((), description="Words of which none may be there, in any case.")
    starts_with: Texts = Field((), description="Beginnings, one of which it must have.")
    ends_with: Texts = Field((), description="Ends, one of which it must have; white space after it does not count.")
    one_of: Texts = Field((), description="Whole answers, one of which it must be.")
    matches: str | None = Field(None, description="A regular expression that must be found in it.")
    never_matches: str | None = Field(None, description="A regular expression that must not be found in it.")
    at_least_words: int | None = Field(None, ge=1, description="The fewest words.")
    at_most_words: int | None = Field(None, ge=1, description="The most words.")
    language: str | None = Field(
        None, description="The language, in two letters such as `en`; short answers, where it is not sure, pass."
    )

    at_most_grade: float | None = Field(
        None,
        gt=0,
        description="The highest reading level, as a US school grade (Flesch-Kincaid), of English alone; answers of "
        "fewer than 10 words pass.",
    )
    schema_: str | dict[str, Any] | None = Field(
        None, alias="schema", description="A JSON Schema (a file or inline) that it must fit, read as JSON."
    )
    python: str | None = Field(
        None,
        description="A function of a Python file of the project, such as `checks.py:polite`, called with answer and "
        "input; it must return true, or what is wrong. It runs only after `tunesmith run --allow-code`.",
    )

    @field_validator("contains", "never_contains", "starts_with", "ends_with", "one_of")
    @classmethod
    def _not_blank(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        if not all(text.strip() for text in texts):
            raise ValueError("a text of this rule is empty")
        return texts

    @field_validator("matches", "never_matches")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            import regex

            if len(pattern) > MOST_PATTERN:
                raise ValueError(f"a pattern may have {MOST_PATTERN} characters, this has {len(pattern)}")
            try:
                regex.compile(pattern)
            except (regex.error, RecursionError) as error:
                raise ValueError(f"this is no regular expression: {error}") from error
        return pattern

    @field_validator("language")
    @classmethod
    def _is_known(cls, code: str | None) -> str | None:
        known = known_languages()
        if code is not None and not known:
            raise ValueError("the language cannot be told here: pycld2 is not installed")
        if code is not None and code not in known:
            raise ValueError(f"{code!r} is no language that can be told: two letters such as en")
        return code

    @model_validator(mode="after")
    def _asks_for_something(self) -> RuleSettings:
        if not any(value for name, value in self if name != "field"):
            raise ValueError("this rule asks for nothing: give one of never_contains, at_most_words, matches, …")
        if self.at_least_words and self.at_most_words and self.at_least_words > self.at_most_words:
            raise ValueError("at_least_words is more than at_most_words: no answer can keep to that")
        if self.at_most_grade and self.language not in (None, "en"):
            raise ValueError("at_most_grade knows English alone, and this rule asks for another language")
        return self

    @property
    def given(self) -> dict[str, Any]:
        """The keys that ask for something."""
        return {key: value for key, value in self.model_dump(mode="json", by_alias=True).items() if value}


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
    rules: list[RuleSettings] = Field(
        default_factory=list,
        description="What every answer must keep to: length, words, form. Rows whose answer does not are set aside by "
        "`clean`.",
    )
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
