"""Settings of `tunesmith export`: how much of the test part is replayed, and what an exported form may lose."""

from __future__ import annotations

from pydantic import Field

from tunesmith.settings import Settings


class ExportSettings(Settings):
    """What an exported form must keep."""

    rows: int = Field(
        50,
        ge=1,
        description="Test rows that are replayed through the form, the shortest and the longest among them.",
    )
    same_answers_at_least: float = Field(
        0.99,
        ge=0,
        le=1,
        description="Share of greedy answers that must be those of the trained model, a near tie that fell the other "
        "way counted as the same; for forms whose weights have 16 bits or more.",
    )
    score_loss_at_most: float = Field(
        0.005, ge=0, le=1, description="What a form may lose on each metric of the goal, from 0 to 1."
    )
