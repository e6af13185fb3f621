"""Settings of the stage `advise`: prompt, retrieval, fine-tuning or both."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tunesmith.settings import Settings


class AdviseSettings(Settings):
    """Prompt, retrieval, fine-tuning or both: measured."""

    use: Literal["auto", "bare", "prompt", "examples", "retrieval", "tuned", "tuned_retrieval"] = Field(
        "auto",
        description="The set-up that `ask` and `serve` use. auto: the one that was advised, where there was advice; "
        "`tunesmith advise --use examples` writes one here.",
    )
    knowledge: str | None = Field(
        None,
        min_length=1,
        description="Your documents (a folder, or one file: .txt, .md, .html), to answer from. Absent: retrieval is "
        "not measured.",
    )
    chunk_words: int = Field(120, ge=10, le=2000, description="Documents are cut into pieces of at most so many words.")
    chunks: int = Field(2, ge=1, le=50, description="So many of the pieces that fit a question are given with it.")
    examples: int = Field(
        4, ge=1, le=50, description="So many of the training examples that are most like a question are given with it."
    )
    rows: int = Field(60, ge=10, description="Each set-up is measured on at most so many validation rows.")
    minutes: float = Field(
        10,
        gt=0,
        description="About how long the measuring may take; rows are left out where it would take longer.",
    )
    margin: float = Field(
        0.02,
        ge=0,
        lt=1,
        description="A simpler set-up counts as good as the best one when it is behind by no more than this, and not "
        "shown to be worse.",
    )
    price_per_hour: float | None = Field(
        None, ge=0, description="What an hour of this machine costs, in any currency. Absent: seconds alone are told."
    )
    price_per_million_tokens: float | None = Field(
        None,
        ge=0,
        description="What a million tokens cost, of prompt and answer together, where you pay by tokens; it goes "
        "before price_per_hour.",
    )
