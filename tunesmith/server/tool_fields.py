"""The fields of a chat request that are about tools, each with its bounds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticCustomError

from tunesmith.server.refusal import Refusal
from tunesmith.server.schema_bounds import DEEPEST, MOST_NODES, check_size, nodes
from tunesmith.tool_calls import ToolCall, Tools

MOST_TOOLS = 128
#: Of one message.
MOST_CALLS = 128
LONGEST_ID = 200  # characters


def _in_words(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
    """What a name may hold, in place of the pattern that it does not match."""
    try:
        return check(value)
    except ValidationError as error:
        if error.errors()[0]["type"] != "string_pattern_mismatch":
            raise
        what = "the name of a function must have 1 to 64 characters: the letters a to z and A to Z, digits, _ and -"
        raise PydanticCustomError("function_name", what) from error


FunctionName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$"), WrapValidator(_in_words)]
CallId = Annotated[str, Field(min_length=1, max_length=LONGEST_ID)]


class FunctionFields(BaseModel):
    name: FunctionName
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class ToolField(BaseModel):
    type: str = Field(max_length=LONGEST_ID)
    function: FunctionFields | None = None


class NamedFunction(BaseModel):
    name: str = Field(max_length=LONGEST_ID)  # it must be one of the tools', which are looked at


class ToolChoice(BaseModel):
    type: str = Field(max_length=LONGEST_ID)
    function: NamedFunction | None = None


class CalledFunction(BaseModel):
    name: FunctionName
    arguments: str = ""


class CallField(BaseModel):
    id: CallId
    type: Literal["function"] = "function"
    function: CalledFunction


def tools_of(tools: Sequence[ToolField] | None, choice: str | ToolChoice | None, parallel: bool | None) -> Tools | None:
    """What the model is told of tools; None where there are none, or ``choice`` is ``none``.

    Raises Refusal ``bad_schema`` for definitions that are absurdly large, ``tools_not_served`` for tools that are no
    functions, ``wrong_value`` for a choice that none of them is.
    """
    if not tools:
        if choice not in (None, "auto", "none"):
            raise Refusal(400, "wrong_value", "tool_choice needs tools", param="tool_choice")
        return None
    check_size([one.function.parameters for one in tools if one.function], "tools")
    definitions = tuple(_definition(one) for one in tools)
    check_characters(definitions, "tools")
    found = Tools(definitions, parallel=parallel is not False)
    if len(set(found.names)) < len(found.names):
        raise Refusal(400, "wrong_value", "two tools have the same name", param="tools")
    if choice in (None, "auto"):
        return found
    if choice == "none":
        return None
    if choice == "required":
        return Tools(definitions, True, None, found.parallel)
    if not isinstance(choice, ToolChoice) or choice.function is None:
        what = 'tool_choice must be none, auto, required or {"type": "function", "function": {"name": …}}'
        raise Refusal(400, "wrong_value", what, param="tool_choice")
    if choice.function.name not in found.names:
        raise Refusal(400, "wrong_value", "tool_choice names none of the tools", param="tool_choice")
    return Tools(definitions, True, choice.function.name, parallel=False)


def _definition(tool: ToolField) -> Mapping[str, Any]:
    if tool.type != "function" or tool.function is None:
        what = f"tools of the type {tool.type!r} are not served: send functions"
        raise Refusal(400, "tools_not_served", what, param="tools")
    return {"type": "function", "function": tool.function.model_dump(exclude_none=True)}


def calls_of(fields: Sequence[CallField] | None) -> tuple[ToolCall, ...]:
    """An assistant's earlier calls, their arguments as one way of writing JSON has them.

    Raises Refusal ``wrong_value`` for arguments that are no JSON object, or one of absurd size.
    """
    return tuple(ToolCall(one.id, one.function.name, _arguments(one.function.arguments)) for one in fields or ())


def _arguments(text: str) -> str:
    try:
        value = json.loads(text, parse_constant=_no_constant) if text.strip() else {}
        too_large = any(depth > DEEPEST or count > MOST_NODES for count, (depth, _) in enumerate(nodes(value)))
    except (ValueError, RecursionError):
        value, too_large = None, False
    if not isinstance(value, dict):
        what = "the arguments of a tool call must be the JSON text of an object"
        raise Refusal(400, "wrong_value", what, param="messages")
    if too_large:
        what = f"the arguments of a tool call are too large: at most {MOST_NODES:,} values and {DEEPEST} levels"
        raise Refusal(400, "wrong_value", what, param="messages")
    check_characters(value, "messages")
    return json.dumps(value, ensure_ascii=False)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def check_characters(value: Any, param: str) -> None:
    """Raises Refusal ``not_utf8`` where a string holds half a surrogate pair."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise Refusal(400, "not_utf8", "a text holds half a surrogate pair, which is no character", param=param)
