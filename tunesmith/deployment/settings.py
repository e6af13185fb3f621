"""Settings of the model at work."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from tunesmith.deployment.deploy_settings import DeploySettings
from tunesmith.deployment.log_settings import DriftSettings, LogSettings
from tunesmith.deployment.people_settings import FeedbackSettings, HandOffSettings
from tunesmith.deployment.rules.settings import RuleSettings, twice
from tunesmith.deployment.upstream_settings import UpstreamSettings
from tunesmith.settings import Settings


class ServeSettings(Settings):
    """How the model is served and watched."""

    queue: int = Field(
        64, ge=0, description="Requests that may wait for a turn at the model; what comes beyond gets 429 at once."
    )
    upstream: UpstreamSettings | None = Field(
        None, description="A server that answers in the model's place, with `--engine vllm` or `openai`."
    )
    deploy: DeploySettings = Field(default_factory=DeploySettings, description="How versions follow each other.")  # type: ignore[arg-type]
    log: LogSettings = Field(default_factory=LogSettings, description="What is kept of requests.")  # type: ignore[arg-type]
    drift: DriftSettings = Field(default_factory=DriftSettings, description="How traffic is held against the training.")  # type: ignore[arg-type]
    traces: bool = Field(
        False,
        description="Whether each request is told as an OpenTelemetry span, without its texts (the extra `otel`); "
        "where to is said by the environment, as for any program: OTEL_EXPORTER_OTLP_ENDPOINT.",
    )
    hand_off: Literal["off"] | HandOffSettings = Field(
        default_factory=HandOffSettings,  # type: ignore[arg-type]
        description="Requests for a person are kept for `tunesmith inbox`; or `off`: the client alone is told.",
    )
    feedback: Literal["off"] | FeedbackSettings = Field(
        default_factory=FeedbackSettings,  # type: ignore[arg-type]
        description="What users say of answers is kept; or `off`.",
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
