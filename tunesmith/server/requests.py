"""What may be asked: OpenAI's fields, each with its bounds. Fields that change nothing here are let pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tunesmith.server.refusal import Refusal
from tunesmith.server.schema_bounds import check_size
from tunesmith.server.tool_fields import (
    MOST_CALLS,
    MOST_TOOLS,
    CallField,
    CallId,
    ToolChoice,
    ToolField,
    check_characters,
    tools_of,
)
from tunesmith.tool_calls import Tools

MOST_MESSAGES = 1000
MOST_PARTS = 1000  # of one message
MOST_INPUTS = 2048
MOST_STOPS = 16
LONGEST_STOP = 200  # characters
MOST_CHOICES = 8
MOST_TOP = 20

Stop = Annotated[str, Field(min_length=1, max_length=LONGEST_STOP)]


class Asked(BaseModel):
    """Fields that nobody here knows are ignored, as clients send many."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    model: str = Field(max_length=300)
    user: Any = None
    safety_identifier: Any = None

    @property
    def who(self) -> str | None:
        """The client's user that it asks for, where it says so: a canary's share is drawn by users."""
        return next((one for one in (self.safety_identifier, self.user) if isinstance(one, str) and one), None)


class TextPart(BaseModel):
    type: str
    text: str | None = None


class ChatMessage(BaseModel):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | Annotated[list[TextPart], Field(max_length=MOST_PARTS)] | None = None
    tool_calls: Annotated[list[CallField], Field(max_length=MOST_CALLS)] | None = None
    tool_call_id: CallId | None = None


class NamedSchema(BaseModel):
    name: str = Field("answer", max_length=200)
    schema_: dict[str, Any] = Field(default_factory=dict, alias="schema")
    strict: bool | None = None


class ResponseFormat(BaseModel):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: NamedSchema | None = None


class StreamOptions(BaseModel):
    include_usage: bool = False


class Written(Asked):
    """What chat and plain completion share."""

    max_tokens: int | None = Field(None, ge=1, le=10**7)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    n: int | None = Field(None, ge=1, le=MOST_CHOICES)
    stop: Stop | Annotated[list[Stop], Field(max_length=MOST_STOPS)] | None = None
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    logit_bias: dict[str, float] | None = Field(None, max_length=1000)

    @property
    def is_greedy(self) -> bool:
        """Whether the same model gives the same answer again."""
        return not self.temperature

    @property
    def stops(self) -> list[str]:
        return [self.stop] if isinstance(self.stop, str) else list(self.stop or ())

    def check(self) -> None:
        """Raises Refusal ``not_served`` for what would change the answer and is not done here."""
        for name in ("presence_penalty", "frequency_penalty", "logit_bias"):
            if getattr(self, name):
                raise Refusal(400, "not_served", f"{name} is not served: leave it out", param=name)


class ChatRequest(Written):
    messages: list[ChatMessage] = Field(min_length=1, max_length=MOST_MESSAGES)
    max_completion_tokens: int | None = Field(None, ge=1, le=10**7)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=MOST_TOP)
    response_format: ResponseFormat | None = None
    tools: list[ToolField] | None = Field(None, max_length=MOST_TOOLS)
    tool_choice: Annotated[str, Field(max_length=20)] | ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    functions: Any = None
    function_call: Any = None

    @property
    def asked_tools(self) -> Tools | None:
        """The functions that the model may call. Raises Refusal as `tools_of`."""
        return tools_of(self.tools, self.tool_choice, self.parallel_tool_calls)

    def check(self) -> None:
        super().check()
        for name in ("functions", "function_call"):
            if getattr(self, name):
                raise Refusal(400, "not_served", f"{name} is not served: send tools", param=name)
        if self.top_logprobs and not self.logprobs:
            raise Refusal(400, "wrong_value", "top_logprobs needs logprobs: true", param="top_logprobs")


class CompletionRequest(Written):
    prompt: str | Annotated[list[str], Field(min_length=1, max_length=MOST_CHOICES)]
    logprobs: int | None = Field(None, ge=0, le=MOST_TOP)
    echo: bool | None = None
    suffix: str | None = Field(None, max_length=10_000)
    best_of: int | None = Field(None, ge=1, le=MOST_CHOICES)

    @property
    def prompts(self) -> list[str]:
        return [self.prompt] if isinstance(self.prompt, str) else self.prompt

    def check(self) -> None:
        super().check()
        for name in ("echo", "suffix"):
            if getattr(self, name):
                raise Refusal(400, "not_served", f"{name} is not served: leave it out", param=name)
        if (self.best_of or 1) > (self.n or 1):
            raise Refusal(400, "not_served", "best_of is not served: leave it out", param="best_of")


class EmbeddingRequest(Asked):
    input: str | Annotated[list[str], Field(min_length=1, max_length=MOST_INPUTS)]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(None, ge=1)

    @property
    def inputs(self) -> list[str]:
        return [self.input] if isinstance(self.input, str) else self.input


class ClassificationRequest(Asked):
    """Ours: OpenAI has no such route."""

    input: str | Annotated[list[str], Field(min_length=1, max_length=MOST_INPUTS)] = Field(
        description="One text, or several."
    )
    top: int | None = Field(None, ge=1, description="Tell the probabilities of so many labels; absent: of all.")

    @property
    def inputs(self) -> list[str]:
        return [self.input] if isinstance(self.input, str) else self.input


def schema_of(format: ResponseFormat | None, own: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The JSON Schema that an answer must keep to; None where it is free.

    ``own``: the goal's, which `json_object` means where there is one. Raises Refusal ``bad_schema`` for one that
    is absurdly large or no schema, and ``not_utf8`` for one with half a surrogate pair.
    """
    if format is None or format.type == "text":
        return None
    if format.type == "json_object":
        return own if own is not None else {"type": "object"}
    if format.json_schema is None:
        raise Refusal(400, "bad_schema", "json_schema is missing", param="response_format")
    schema = format.json_schema.schema_
    check_size(schema, "response_format")
    check_characters(schema, "response_format")
    return schema
