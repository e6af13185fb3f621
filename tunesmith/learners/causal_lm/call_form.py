"""How a model writes calls of tools: found in what its chat template makes of a call.

Templates of the field write a call as a JSON object with the function's name and its arguments. Around it stand
markers (``<tool_call>…</tool_call>`` of Hermes and Qwen), nothing (Llama 3), or a marker before a list of all calls
(``[TOOL_CALLS][…]`` of Mistral).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Protocol

NAME = "zz_name"
ARGUMENTS = {"zz_key": "zz_value", "zz_other": 1}
#: Ways to write JSON: what stands between items, and behind keys.
LAYOUTS = ((", ", ": "), (",", ":"), (", ", ":"), (",", ": "))

_QUESTION = {"role": "user", "content": "zz_question"}
_ANSWER = "zz_answer"
_ARGUMENTS_AT = re.compile(r'\{\s*"zz_key"')


class Render(Protocol):
    """Messages and functions as the chat template writes them; ``open``: up to where the assistant begins to write.

    Raises whatever the template does for what it cannot show.
    """

    def __call__(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]] | None, open: bool) -> str: ...


@dataclass(frozen=True)
class CallForm:
    """``open`` and ``close`` stand around a call, or around the list of all calls (``listed``).

    ``head`` is what a call begins with, up to its arguments, with `NAME` for the function's. ``between``: what stands
    between two calls, None where the template takes one at a time. ``layout``: one of `LAYOUTS`, of the arguments.
    """

    open: str
    close: str
    listed: bool
    name_key: str
    arguments_key: str
    head: str
    between: str | None
    layout: tuple[str, str]

    @property
    def markers(self) -> str:
        """All that stands around calls."""
        return self.open + self.close


def asks_for_call(arguments: Any, ids: tuple[str, ...]) -> dict[str, Any]:
    """An assistant's message that calls `NAME`, once for each id."""
    function = {"name": NAME, "arguments": arguments}
    calls = [{"id": id, "type": "function", "function": function} for id in ids]
    return {"role": "assistant", "content": "", "tool_calls": calls}


def call_form(render: Render, tools: list[dict[str, Any]], arguments: Any, ids: tuple[str, str]) -> CallForm | None:
    """The form in which the template writes calls whose arguments it is given so; None where it is none that is read.

    Raises as ``render``.
    """
    written = _written(render, tools, asks_for_call(arguments, ids[:1]))
    found = _json_with_name(written)
    if found is None:
        return None
    start, end, value = found
    listed = isinstance(value, list)
    call = value[0] if listed else value
    name_key = next((key for key, one in call.items() if one == NAME), None)
    arguments_key = next((key for key, one in call.items() if one == ARGUMENTS), None)
    if name_key is None or arguments_key is None:
        return None
    text = written[start:end]
    at = _ARGUMENTS_AT.search(text)
    layout = next((one for one in LAYOUTS if json.dumps(ARGUMENTS, separators=one) in text), None)
    if at is None or layout is None or text.index(NAME) > at.start():
        return None
    return CallForm(
        open=written[:start],
        close=_without_end(render, tools, written[end:]),
        listed=listed,
        name_key=name_key,
        arguments_key=arguments_key,
        head=text[listed : at.start()],
        between=_between(render, tools, asks_for_call(arguments, ids), text, listed=listed),
        layout=layout,
    )


def _written(render: Render, tools: list[dict[str, Any]], message: dict[str, Any]) -> str:
    """What the assistant writes in this message, with the end of its turn."""
    before, whole = render([_QUESTION], tools, True), render([_QUESTION, message], tools, False)
    pairs = enumerate(zip(before, whole, strict=False))
    return whole[next((at for at, (one, other) in pairs if one != other), min(len(before), len(whole))) :]


def _json_with_name(text: str) -> tuple[int, int, Any] | None:
    """The first JSON object, or list of objects, that has `NAME` as a value: where it begins and ends, and itself."""
    for match in re.finditer(r"[\[{]", text):
        try:
            value, end = json.JSONDecoder().raw_decode(text, match.start())
        except ValueError:
            continue
        call = value[0] if isinstance(value, list) and value else value
        if isinstance(call, dict) and NAME in [one for one in call.values() if isinstance(one, str)]:
            return match.start(), end, value
    return None


def _without_end(render: Render, tools: list[dict[str, Any]], rest: str) -> str:
    """What stands behind a call, without what ends every turn."""
    answer = _written(render, tools, {"role": "assistant", "content": _ANSWER})
    end = answer.partition(_ANSWER)[2]
    return rest.removesuffix(end) if end else rest


def _between(
    render: Render, tools: list[dict[str, Any]], message: dict[str, Any], call: str, *, listed: bool
) -> str | None:
    """What stands between two calls: behind the first one's JSON, up to the second one's."""
    try:
        written = _written(render, tools, message)
    except Exception:
        return None
    begins = [match.start() for match in re.finditer(re.escape(call[listed:].partition(NAME)[0] + NAME), written)]
    if len(begins) != 2:
        return None
    _, end = json.JSONDecoder().raw_decode(written, begins[0])
    return written[end : begins[1]]
