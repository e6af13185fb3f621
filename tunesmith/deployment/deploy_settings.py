"""Settings of `tunesmith deploy`: what makes a server go back to the version before by itself."""

from __future__ import annotations

from pydantic import Field

from tunesmith.settings import Settings


class DeploySettings(Settings):
    """How versions follow each other at work."""

    roll_back: bool = Field(True, description="Go back to the version before when the new one is clearly worse.")
    least_requests: int = Field(
        50, ge=10, description="Requests that the new version must have answered before it is judged."
    )
    more_errors: float | None = Field(
        0.02, ge=0, le=1, description="Share of requests that may fail (5xx) beyond those of the version before."
    )
    slower: float | None = Field(
        1.5, ge=1, description="How many times the 95th percentile of the latency before the new one's may be."
    )
    more_format_failures: float | None = Field(
        0.05, ge=0, le=1, description="Share of answers that may miss the schema beyond those of the version before."
    )
    more_hand_offs: float | None = Field(
        0.1, ge=0, le=1, description="Share of requests handed to a person beyond those of the version before."
    )
    false_alarms: float = Field(
        0.01,
        gt=0,
        le=0.2,
        description="How likely a version that is as good as the one before may be taken back by chance, all looks and "
        "rules together.",
    )
    watch_minutes: float = Field(
        60, ge=0, description="How long after a switch the new version is held against the one before."
    )
    warm_minutes: float = Field(
        0,
        ge=0,
        description="How long the version before stays loaded after a switch, so that going back takes no time; it "
        "needs its memory.",
    )
    keep: int = Field(
        5, ge=2, description="Versions whose exports are kept; older ones are exported again when they are deployed."
    )
