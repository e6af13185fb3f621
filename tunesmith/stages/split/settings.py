"""Settings of the stage `split`: training, validation and the locked test part."""

from __future__ import annotations

from pydantic import Field, model_validator

from tunesmith.settings import Settings


class SplitSettings(Settings):
    """80/10/10, leak-free, the test part locked."""

    train: float = Field(0.8, gt=0, lt=1, description="Share of rows to train on.")
    validation: float = Field(0.1, gt=0, lt=1, description="Share of rows to choose the best step on.")
    test: float = Field(0.1, gt=0, lt=1, description="Share of rows to measure on, locked until then.")
    near: float = Field(
        0.7,
        gt=0,
        le=1,
        description="Inputs that share at least this much (Jaccard similarity of 5-letter pieces) stay on one side.",
    )

    @model_validator(mode="after")
    def _adds_to_one(self) -> SplitSettings:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"train + validation + test must add to 1, and they add to {total:g}")
        return self
