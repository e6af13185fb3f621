"""Settings of the people around the model at work: what is handed to them, and what users say of answers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tunesmith.settings import Settings

PRIVATE = "Private data in their texts: masked as `clean` does, or kept as it came."


class HandOffSettings(Settings):
    """Requests that are for a person, which `tunesmith inbox` shows."""

    reply: str | None = Field(
        None,
        min_length=1,
        max_length=10_000,
        description="What the client gets in place of the model's answer. Absent: that answer, marked.",
    )
    waiting_days: float = Field(30.0, gt=0, le=3650, description="Days that a request waits for a person.")
    settled_days: float = Field(
        30.0, gt=0, le=3650, description="Days that an answered or declined request is kept from then on."
    )
    most: int = Field(10_000, ge=1, description="Requests that may wait; those beyond are marked, and not kept.")
    claim_minutes: float = Field(
        15.0, gt=0, le=1440, description="How long a person who opened a request has it for themselves."
    )
    private: Literal["mask", "keep"] = Field("mask", description=PRIVATE)


class FeedbackSettings(Settings):
    """What users say of answers, by `POST /v1/feedback`."""

    request_days: float = Field(30.0, gt=0, le=3650, description="Days in which something can be said of an answer.")
    keep_days: float = Field(365.0, gt=0, le=3650, description="Days that what was said is kept.")
    private: Literal["mask", "keep"] = Field("mask", description=PRIVATE)
