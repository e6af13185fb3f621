"""Settings of the stage `improve`: what to do next, and what it should bring."""

from __future__ import annotations

from pydantic import Field

from tunesmith.settings import Settings


class ImproveSettings(Settings):
    """What to do next, and what it should bring."""

    pool: list[str] = Field(
        default_factory=list,
        description="Files of inputs without answers (text with one a line, JSONL, CSV, Parquet): those most worth "
        "labelling are chosen from them.",
    )
    input: str | None = Field(
        None, min_length=1, description="The column of the pool's files that goes in. Absent: the goal's usual names."
    )
    choose: int = Field(50, ge=1, le=10_000, description="How many rows of the pool to propose for labelling.")
    traffic: int = Field(
        200,
        ge=0,
        le=10_000,
        description="So many requests of the served model, those least like the training data, are looked at as a pool "
        "is, where their texts are kept (`serve.log.text`).",
    )
    hardest: int = Field(
        100, ge=0, le=10_000, description="How many of the hardest training rows the tuned model is asked again."
    )
