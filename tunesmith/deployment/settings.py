"""Settings of the model at work."""

from __future__ import annotations

from pydantic import Field

from tunesmith.deployment.log_settings import DriftSettings, LogSettings
from tunesmith.settings import Settings


class ServeSettings(Settings):
    """How the model is served and watched."""

    queue: int = Field(
        64, ge=0, description="Requests that may wait for a turn at the model; what comes beyond gets 429 at once."
    )
    log: LogSettings = Field(default_factory=LogSettings, description="What is kept of requests.")  # type: ignore[arg-type]
    drift: DriftSettings = Field(default_factory=DriftSettings, description="How traffic is held against the training.")  # type: ignore[arg-type]
    traces: bool = Field(
        False,
        description="Whether each request is told as an OpenTelemetry span, without its texts (the extra `otel`); "
        "where to is said by the environment, as for any program: OTEL_EXPORTER_OTLP_ENDPOINT.",
    )
