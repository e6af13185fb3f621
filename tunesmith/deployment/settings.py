"""Settings of the model at work."""

from __future__ import annotations

from pydantic import Field, field_validator

from tunesmith.deployment.rules.settings import RuleSettings, twice
from tunesmith.settings import Settings


class ServeSettings(Settings):
    """How the model is served and watched."""

    queue: int = Field(
        64, ge=0, description="Requests that may wait for a turn at the model; what comes beyond gets 429 at once."
    )
    rules: list[RuleSettings] = Field(
        default_factory=list,
        description="What requests and answers must keep to, before and after the model, in this order.",
    )

    @field_validator("rules")
    @classmethod
    def _names_differ(cls, rules: list[RuleSettings]) -> list[RuleSettings]:
        if names := twice(rules):
            raise ValueError(f"two rules are named {', '.join(names)}")
        return rules
