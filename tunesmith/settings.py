"""The parent of every stage's settings: strict, described, no unknown keys."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """A block of ``tunesmith.yaml``. Unknown keys are errors; values are checked at once."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False)
