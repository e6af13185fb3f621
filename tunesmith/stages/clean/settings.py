"""Settings of the stage `clean`: what is fixed and what is taken out, and why."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tunesmith.settings import Settings


class CleanSettings(Settings):
    """Fixed and deduplicated; what was taken out can come back."""

    drop: list[Literal["empty", "too_long", "duplicate", "conflict", "off_goal"]] = Field(
        ["empty", "too_long", "duplicate", "conflict", "off_goal"],
        description="What is taken out: empty sides, over-long rows, duplicates, conflicts (same input, "
        "different answers; for output: text both are kept), answers that break the goal's labels or schema.",
    )
    fix: list[Literal["label_spelling", "json_layout"]] = Field(
        ["label_spelling", "json_layout"],
        description="What is mended with a record: case and spaces of labels and enum values, layout of JSON.",
    )
    max_characters: int = Field(
        20_000, ge=1, description="Rows with a message longer than this many characters are set aside."
    )
