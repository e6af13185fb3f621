"""Settings of the model at work."""

from __future__ import annotations

from pydantic import Field

from tunesmith.deployment.deploy_settings import DeploySettings
from tunesmith.settings import Settings


class ServeSettings(Settings):
    """How the model is served and watched."""

    queue: int = Field(
        64, ge=0, description="Requests that may wait for a turn at the model; what comes beyond gets 429 at once."
    )
    deploy: DeploySettings = Field(default_factory=DeploySettings, description="How versions follow each other.")  # type: ignore[arg-type]
