"""Settings of the stage `split`: training, validation and the locked test part."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from tunesmith.settings import Settings


class SplitSettings(Settings):
    """80/10/10, leak-free, the test part locked."""

    train: float = Field(0.8, gt=0, lt=1, description="Share of rows to train on.")
    validation: float = Field(0.1, gt=0, lt=1, description="Share of rows to choose the best step on.")
    test: float = Field(0.1, gt=0, lt=1, description="Share of rows to measure on, locked until then.")
    by: Literal["chance", "time"] = Field(
        "chance",
        description="chance: rows are drawn, each label its share; time: test is the latest, validation before it.",
    )
    time: str | None = Field(None, min_length=1, description="With by: time, the column of dates or times.")
    group: str | None = Field(
        None,
        min_length=1,
        description="A column: rows with the same customer (thread, document) in it stay in one part.",
    )
    near: float = Field(
        0.7,
        gt=0,
        le=1,
        description="Inputs that share at least this much (Jaccard similarity of 5-letter pieces), as they stand or "
        "with their words sorted, stay on one side.",
    )

    @model_validator(mode="after")
    def _adds_to_one(self) -> SplitSettings:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"train + validation + test must add to 1, and they add to {total:g}")
        return self

    @model_validator(mode="after")
    def _times_are_named(self) -> SplitSettings:
        if self.by == "time" and self.time is None:
            raise ValueError("by: time needs the column of the times, such as time: created_at")
        if self.by != "time" and self.time is not None:
            raise ValueError("time is read with by: time alone; write by: time, or take time out")
        return self

    @property
    def kept_columns(self) -> dict[str, str]:
        """The columns that `collect` keeps with each row for the split."""
        named = {"group": self.group, "time": self.time}
        return {use: column for use, column in named.items() if column is not None}
