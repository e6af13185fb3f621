"""Settings of what is kept of requests, and of what is told about them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tunesmith.settings import Settings


class LogSettings(Settings):
    """What is kept of requests: figures always, texts when you say so."""

    text: bool = Field(
        False,
        description="Whether the texts of requests and answers are kept too, with what is private in them masked.",
    )
    keep_days: float = Field(90, gt=0, description="For how many days the figures of a request are kept.")
    keep_text_days: float = Field(
        30, gt=0, description="For how many days its texts are kept; never longer than its figures."
    )


class DriftSettings(Settings):
    """How the traffic is held against the training data."""

    embeddings: Literal["auto", "off"] = Field(
        "auto",
        description="Whether requests are compared with the training rows by their meaning, where the encoder is here. "
        "It takes at most a twentieth of one core; of more requests than that a part is compared.",
    )
    window: int = Field(
        1000, ge=200, le=100_000, description="The last so many requests of a version are held against the training."
    )
    level: float = Field(
        0.01,
        gt=0,
        lt=0.5,
        description="The highest chance of a false alarm within one window, over all that is looked at in it.",
    )
