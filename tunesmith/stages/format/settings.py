"""Settings of the stage `format`: what the model will see, token by token."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tunesmith.settings import Settings


class FormatSettings(Settings):
    """What the model will see, token by token."""

    max_tokens: Annotated[int, Field(ge=1)] | Literal["auto"] = Field(
        "auto",
        description="Longer rows are set aside, never cut. auto: the base model's context, at most 2,048 tokens (of a "
        "fresh model the whole context, see base.context).",
    )
