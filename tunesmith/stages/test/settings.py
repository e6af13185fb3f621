"""Settings of the stage `test`: is it good enough to ship."""

from __future__ import annotations

from pydantic import Field

from tunesmith.settings import Settings


class TestSettings(Settings):
    """Is it good enough to ship."""

    __test__ = False  # not a pytest class

    enforce_schema: bool = Field(
        True, description="For output: json, also measure with the schema enforced while decoding."
    )
    max_new_tokens: int | None = Field(
        None, ge=1, description="Longest answer, in tokens. Absent: half as long again as the longest training answer."
    )
    forgetting: bool = Field(
        True,
        description="Whether much general ability lost in training, where that is shown, forbids to ship. false for "
        "a model that is to do its task alone.",
    )
    worst: int = Field(20, ge=0, description="How many of the worst rows the report shows.")
    resamples: int = Field(10_000, ge=1000, description="Bootstrap resamples for intervals and paired tests.")
