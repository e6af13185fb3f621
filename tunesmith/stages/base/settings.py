"""Settings of the stage `base`: the model to start from."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from tunesmith.settings import Settings

Auto = Literal["auto"]
#: `base.model` for a fresh model.
SCRATCH = "scratch"
#: Keys that say what a fresh model is like.
OF_SCRATCH = ("parameters", "vocabulary", "context")

FEWEST_PARAMETERS, MOST_PARAMETERS = 10_000, 100_000_000_000
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kKmMbB]?)")
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9}


def _size(value: Any) -> Any:
    """A count of parameters written as 5M, 300k, 1.5B or a number, as a whole number."""
    if value == "auto":
        return value
    found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found:
        value = float(found[1]) * _UNITS[found[2].lower()]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or value != int(value) or not FEWEST_PARAMETERS <= value <= MOST_PARAMETERS:
        raise ValueError(f"this must be auto, or a size from {FEWEST_PARAMETERS} on such as 5M, 300k or 1.5B")
    return int(value)


Size = Annotated[
    int | Auto,
    BeforeValidator(_size),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": FEWEST_PARAMETERS, "maximum": MOST_PARAMETERS},
                {"type": "string", "pattern": r"^(auto|\d+(\.\d+)?\s*[kKmMbB]?)$"},
            ]
        }
    ),
]


class BaseSettings(Settings):
    """The model to start from."""

    model: str = Field(
        "auto",
        min_length=1,
        description="A name in the catalogue, a local folder, a hub id (owner/name@revision), auto: chosen by the "
        "task, the data and the machine, or scratch: a fresh model and tokenizer, made of your rows alone.",
    )
    parameters: Size = Field(
        "auto",
        description="scratch: about how many weights, such as 5M. auto: 3 a character of training text, at most what "
        "this machine trains in 20 minutes.",
    )
    vocabulary: Annotated[int, Field(ge=264, le=1_000_000)] | Auto = Field(
        "auto",
        description="scratch: the most tokens that the tokenizer knows. auto: 4 times the root of the characters of "
        "training text.",
    )
    context: int = Field(
        1024, ge=16, le=1_000_000, description="scratch: how many tokens the model can see. Longer rows are set aside."
    )

    @property
    def from_scratch(self) -> bool:
        return self.model == SCRATCH

    @model_validator(mode="after")
    def _sizes_are_of_a_fresh_model(self) -> BaseSettings:
        set_here = [key for key in OF_SCRATCH if key in self.model_fields_set]
        if set_here and not self.from_scratch:
            raise ValueError(f"{' and '.join(set_here)} can be chosen for a fresh model alone (model: scratch)")
        return self
