"""Keep an answer to calls of the functions that there are, while it is decoded.

The grammar is llguidance's form of Lark (https://github.com/guidance-ai/llguidance, docs/syntax.md), which both engines
read: arguments are JSON of each function's own schema, laid out as the chat template writes them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tunesmith.learners.causal_lm.call_form import NAME, CallForm
from tunesmith.tool_calls import Tools

#: How answers of JSON are laid out in training.
LAYOUT = (", ", ": ")
#: Parts of JSON, as llguidance cuts it: where an answer may be a call or other JSON, both must be cut alike.
_LEXEMES = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]|[^"{}\[\]]+')


def call_grammar(
    form: CallForm, tools: Tools, schema: Mapping[str, Any] | None, terminals: Callable[[str], Iterator[str]]
) -> str:
    """Calls in this form, or with ``schema`` also JSON of it. ``terminals`` writes a text as Lark has it.

    Without a choice of one function, and where the template takes several calls, there may be several.
    """
    chosen = [one["function"] for one in tools.definitions if tools.only in (None, one["function"]["name"])]
    open, close = ([*terminals(one)] for one in (form.open, form.close))
    several = form.between is not None and tools.parallel
    between = [*terminals(form.between or "")]
    # between two objects stand the end of one call and the beginning of the next
    more = ["(", *between, "call", ")*"] if several else []
    calls = ['"["', "call", *more, '"]"'] if form.listed else ["call", *more]
    rules = [f"calls: {' '.join([*open, *calls, *close])}"]
    rules.append("call: " + " | ".join(f"call{number}" for number in range(len(chosen))))
    for number, function in enumerate(chosen):
        parts = _LEXEMES.findall(form.head.replace(NAME, function["name"]))
        head = " ".join(terminal for part in parts for terminal in terminals(part))
        rules.append(f'call{number}: {head} arguments{number} "}}"')
        rules.append(f"arguments{number}: %json {_json(_parameters(function), form.layout)}")
    if schema is not None:
        rules.append(f"answer: %json {_json(schema, LAYOUT)}")
    start = "start: calls | answer" if schema is not None else "start: calls"
    return "\n".join([start, *rules])


def _parameters(function: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a function's arguments, which are an object; a function without one takes none."""
    parameters = function.get("parameters")
    if parameters is None:
        return {"type": "object", "properties": {}, "additionalProperties": False}
    return {"type": "object", **parameters}


def _json(schema: Mapping[str, Any], layout: tuple[str, str]) -> str:
    item, key = layout
    told = {"whitespace_flexible": False, "item_separator": item, "key_separator": key}
    return json.dumps({"x-guidance": told, **schema})
