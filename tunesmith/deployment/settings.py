"""Settings of the model at work."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tunesmith.deployment.people_settings import FeedbackSettings, HandOffSettings
from tunesmith.settings import Settings


class ServeSettings(Settings):
    """How the model is served and watched."""

    queue: int = Field(
        64, ge=0, description="Requests that may wait for a turn at the model; what comes beyond gets 429 at once."
    )
    hand_off: Literal["off"] | HandOffSettings = Field(
        default_factory=HandOffSettings,  # type: ignore[arg-type]
        description="Requests for a person are kept for `tunesmith inbox`; or `off`: the client alone is told.",
    )
    feedback: Literal["off"] | FeedbackSettings = Field(
        default_factory=FeedbackSettings,  # type: ignore[arg-type]
        description="What users say of answers is kept; or `off`.",
    )
