"""Settings of the stage `test`: is it good enough to ship."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from tunesmith.engines.openai_endpoint import check_address
from tunesmith.settings import Settings

#: How a candidate that is an endpoint is named.
ENDPOINT = "endpoint:"
#: How a candidate is named that is the model of an earlier round.
ROUND = "round:"
QUESTION = "Which answer serves the user better: is it right, complete, clear and in the right tone?"


class EndpointSettings(Settings):
    """A server with an OpenAI-compatible API. Rows that it answers leave this machine."""

    name: str = Field(pattern=r"^[\w.-]+$", description="What it is called in `candidates` and `judge`.")
    url: str = Field(description="Its address without /chat/completions, such as `https://host/v1`.")
    model: str = Field(min_length=1, description="The model to ask for.")
    key_env: str | None = Field(
        None,
        pattern=r"^[A-Za-z_]\w*$",
        description="The environment variable that holds the key. Absent: no key is sent.",
    )
    timeout_seconds: float = Field(60, gt=0, description="Seconds that one try may take.")
    at_once: int = Field(4, ge=1, le=64, description="Requests that are under way together.")
    tries: int = Field(5, ge=1, le=20, description="How often a request is tried that may succeed later.")
    options: dict[str, Any] = Field(
        default_factory=dict,
        description="Further keys of each request, such as top_p; `null` takes out one that the server does not know.",
    )

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        return check_address(url)


class JudgeSettings(Settings):
    """A judge model that compares answers: an extra, never part of the verdict."""

    endpoint: str | None = Field(None, description="The endpoint that judges, by its name. Absent: none does.")
    question: str = Field(QUESTION, min_length=1, description="What it is asked about each two answers.")
    rows: int = Field(
        100, ge=1, description="How many rows it judges, of those on which the two differ; each is asked twice."
    )


class RaccoonSettings(Settings):
    """How much of the raccoon suite is asked: the user's own test rows, spoiled."""

    rows_per_family: Annotated[int, Field(ge=1)] | Literal["auto"] = Field(
        "auto", description="Test rows that each family spoils. `auto`: as many as can be answered in `seconds`."
    )
    seconds: float = Field(5.0, gt=0, description="For `auto`: about how long the suite may take, in seconds.")
    families: list[str] | None = Field(None, description="The families to ask, by name. Absent: all.")

    @field_validator("families")
    @classmethod
    def _known(cls, families: list[str] | None) -> list[str] | None:
        from tunesmith.stages.test.raccoon.suite import BY_NAME

        unknown = [name for name in families or () if name not in BY_NAME]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no family: known are {', '.join(BY_NAME)}")
        return families and list(dict.fromkeys(families))


class TestSettings(Settings):
    """Is it good enough to ship."""

    __test__ = False  # not a pytest class

    enforce_schema: bool = Field(
        True, description="For output: json, also measure with the schema enforced while decoding."
    )
    max_new_tokens: int | None = Field(
        None, ge=1, description="Longest answer, in tokens. Absent: half as long again as the longest training answer."
    )
    forgetting: bool = Field(
        True,
        description="Whether much general ability lost in training, where that is shown, forbids to ship. false for "
        "a model that is to do its task alone.",
    )
    worst: int = Field(20, ge=0, description="How many of the worst rows the report shows.")
    resamples: int = Field(10_000, ge=1000, description="Bootstrap resamples for intervals and paired tests.")
    candidates: list[str] = Field(
        ["base", "tuned"],
        description="Who answers the test rows: base, tuned, `round:2` for the model of round 2, and `endpoint:NAME`, "
        "to which the rows are then sent.",
    )
    endpoints: list[EndpointSettings] = Field(
        default_factory=list, description="Servers with an OpenAI-compatible API; each is asked only where it is named."
    )
    judge: JudgeSettings = Field(
        default_factory=JudgeSettings,  # type: ignore[arg-type]
        description="A model behind an endpoint that compares the tuned model's answers with its rival's.",
    )

    raccoon: Literal["off"] | RaccoonSettings = Field(
        default_factory=RaccoonSettings,  # type: ignore[arg-type]
        description="The raccoon suite: test rows spoiled in many ways, and what becomes of the answers; or `off`.",
    )
    unknown_mark: str = Field(
        "unknown",
        min_length=1,
        description="Test rows with this tag, or with this answer or label, are questions that should go to a person.",
    )

    @field_validator("candidates")
    @classmethod
    def _has_base_and_tuned(cls, names: list[str]) -> list[str]:
        missing = [name for name in ("base", "tuned") if name not in names]
        if missing:
            raise ValueError(f"{missing[0]} must be among the candidates: the verdict compares tuned with base")
        if len(set(names)) < len(names):
            raise ValueError("a candidate stands there twice")
        return names

    @model_validator(mode="after")
    def _endpoints_are_there(self) -> TestSettings:
        known = [one.name for one in self.endpoints]
        if len(set(known)) < len(known):
            raise ValueError("two endpoints have the same name")
        told = f"endpoints: {', '.join(known) or 'none'}"
        for name in self.asked_endpoints:
            if name not in known:
                raise ValueError(f"no endpoint is called {name!r} ({told})")
        odd = [name for name in self.candidates if not re.fullmatch(rf"base|tuned|{ENDPOINT}.*|{ROUND}[1-9]\d*", name)]
        if odd:
            raise ValueError(f"{odd[0]!r} is no candidate: base, tuned, round:NUMBER or endpoint:NAME")
        return self

    @property
    def asked_endpoints(self) -> list[str]:
        """The names of the endpoints to which something will be sent."""
        named = [name.removeprefix(ENDPOINT) for name in self.candidates if name.startswith(ENDPOINT)]
        return [*named, *([self.judge.endpoint] if self.judge.endpoint else [])]

    @property
    def asked_rounds(self) -> list[int]:
        """The earlier rounds whose models answer the test rows too."""
        return [int(name.removeprefix(ROUND)) for name in self.candidates if name.startswith(ROUND)]

    def endpoint(self, name: str) -> EndpointSettings:
        return next(one for one in self.endpoints if one.name == name)
