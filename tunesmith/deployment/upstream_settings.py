"""Settings of a server that answers in the model's place."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from tunesmith.engines.openai_endpoint import PATH, Endpoint, check_address
from tunesmith.engines.upstream import Kind, Upstream
from tunesmith.settings import Settings

WHERE = "serve.upstream"


class UpstreamSettings(Settings):
    """A server that answers in the model's place, with `--engine vllm` or `--engine openai`. What clients ask leaves
    this machine where it is another."""

    url: str = Field(description="Its address up to and with /v1, such as `http://127.0.0.1:8001/v1`.")
    model: str | None = Field(
        None,
        min_length=1,
        description="The model to ask for. Absent: the project's name, as `export --to vllm` has it.",
    )
    key_env: str | None = Field(
        None,
        pattern=r"^[A-Za-z_]\w*$",
        description="The environment variable that holds the key. Absent: no key is sent.",
    )
    timeout_seconds: float = Field(
        60, gt=0, le=3600, description="How long it may be silent, before its first token and between two, in seconds."
    )
    at_once: int = Field(16, ge=1, le=1024, description="Requests that it answers together; more wait here.")
    options: dict[str, Any] = Field(
        default_factory=dict,
        description="Further keys of each request; `null` takes out one that the server does not know.",
    )

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        return check_address(url).rstrip("/").removesuffix(PATH)

    def upstream(self, kind: Kind, name: str) -> Upstream:
        """The server as engines know it; ``name`` is the project's."""
        model = self.model or name
        return Upstream(
            kind,
            Endpoint(
                "upstream", self.url, model, self.key_env, self.timeout_seconds, self.at_once, 1, self.options, WHERE
            ),
        )
