"""Settings of the stage `test`: is it good enough to ship."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from tunesmith.settings import Settings


class RaccoonSettings(Settings):
    """How much of the raccoon suite is asked: the user's own test rows, spoiled."""

    rows_per_family: Annotated[int, Field(ge=1)] | Literal["auto"] = Field(
        "auto", description="Test rows that each family spoils. `auto`: as many as can be answered in `seconds`."
    )
    seconds: float = Field(10.0, gt=0, description="For `auto`: about how long the suite may take, in seconds.")
    families: list[str] | None = Field(None, description="The families to ask, by name. Absent: all.")

    @field_validator("families")
    @classmethod
    def _known(cls, families: list[str] | None) -> list[str] | None:
        from tunesmith.stages.test.raccoon.suite import BY_NAME

        unknown = [name for name in families or () if name not in BY_NAME]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no family: known are {', '.join(BY_NAME)}")
        return families and list(dict.fromkeys(families))


class TestSettings(Settings):
    """Is it good enough to ship."""

    __test__ = False  # not a pytest class

    enforce_schema: bool = Field(
        True, description="For output: json, also measure with the schema enforced while decoding."
    )
    max_new_tokens: int | None = Field(
        None, ge=1, description="Longest answer, in tokens. Absent: half as long again as the longest training answer."
    )
    worst: int = Field(20, ge=0, description="How many of the worst rows the report shows.")
    resamples: int = Field(10_000, ge=1000, description="Bootstrap resamples for intervals and paired tests.")
    raccoon: Literal["off"] | RaccoonSettings = Field(
        default_factory=RaccoonSettings,  # type: ignore[arg-type]
        description="The raccoon suite: test rows spoiled in many ways, and what becomes of the answers; or `off`.",
    )
    unknown_mark: str = Field(
        "unknown",
        min_length=1,
        description="Test rows with this tag, or with this answer or label, are questions that should go to a person.",
    )
